#!/usr/bin/env bash
# Usage: [NNODES=.. NODE_RANK=.. MASTER_ADDR=.. PORT=..] tools/dist_train.sh CONFIG GPUS [ARGS...]
# GPUS is the number of processes on this machine; ARGS go to tools/train.py.
set -euo pipefail
[[ $# -ge 2 ]] || { sed -n '2,3s/^# //p' "$0" >&2; exit 2; }

root="$(dirname "$0")/.."
PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}" exec python -m torch.distributed.run \
  --nnodes="${NNODES:-1}" \
  --node_rank="${NODE_RANK:-0}" \
  --master_addr="${MASTER_ADDR:-127.0.0.1}" \
  --master_port="${PORT:-29500}" \
  --nproc_per_node="$2" \
  "$root/tools/train.py" "$1" --launcher pytorch "${@:3}"
