#!/usr/bin/env bash
# Usage: [NNODES=.. NODE_RANK=.. MASTER_ADDR=.. PORT=..] tools/dist_test.sh CONFIG CHECKPOINT GPUS [ARGS...]
# GPUS is the number of processes on this machine; ARGS go to tools/test.py.
# Example: tools/dist_test.sh configs/tsf/<config>.py work_dirs/tsf/iter_2000.pth 8
set -euo pipefail
usage() { sed -n '2,4s/^# //p' "$0"; }
[[ "${1:-}" != --help && "${1:-}" != -h ]] || { usage; exit; }
[[ $# -ge 3 ]] || { usage >&2; exit 2; }

root="$(dirname "$0")/.."
PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}" exec python -m torch.distributed.run \
  --nnodes="${NNODES:-1}" \
  --node_rank="${NODE_RANK:-0}" \
  --master_addr="${MASTER_ADDR:-127.0.0.1}" \
  --master_port="${PORT:-29500}" \
  --nproc_per_node="$3" \
  "$root/tools/test.py" "$1" "$2" --launcher pytorch "${@:4}"
