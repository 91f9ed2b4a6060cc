#!/usr/bin/env bash
# Usage: [NNODES=.. NODE_RANK=.. MASTER_ADDR=.. PORT=..] tools/dist_train.sh CONFIG GPUS [ARGS...]
# GPUS is the number of processes on this machine; ARGS go to tools/train.py.
# Example: tools/dist_train.sh configs/tsf/<config>.py 8 --work-dir work_dirs/tsf
set -euo pipefail
usage() { sed -n '2,4s/^# //p' "$0"; }
[[ "${1:-}" != --help && "${1:-}" != -h ]] || { usage; exit; }
[[ $# -ge 2 ]] || { usage >&2; exit 2; }

root="$(dirname "$0")/.."
PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}" exec python -m torch.distributed.run \
  --nnodes="${NNODES:-1}" \
  --node_rank="${NODE_RANK:-0}" \
  --master_addr="${MASTER_ADDR:-127.0.0.1}" \
  --master_port="${PORT:-29500}" \
  --nproc_per_node="$2" \
  "$root/tools/train.py" "$1" --launcher pytorch "${@:3}"
