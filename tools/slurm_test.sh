#!/usr/bin/env bash
# Usage: [GPUS=.. GPUS_PER_NODE=.. CPUS_PER_TASK=.. SRUN_ARGS=..] tools/slurm_test.sh PARTITION JOB_NAME CONFIG CHECKPOINT [ARGS...]
# GPUS is the number of processes of the whole job; ARGS go to tools/test.py.
# Example: GPUS=8 tools/slurm_test.sh gpu tsf configs/tsf/<config>.py work_dirs/tsf/iter_2000.pth
set -euo pipefail
usage() { sed -n '2,4s/^# //p' "$0"; }
[[ "${1:-}" != --help && "${1:-}" != -h ]] || { usage; exit; }
[[ $# -ge 4 ]] || { usage >&2; exit 2; }

root="$(dirname "$0")/.."
gpus_per_node="${GPUS_PER_NODE:-4}"
# SRUN_ARGS holds several words.
# shellcheck disable=SC2086
PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}" exec srun \
  -p "$1" \
  --job-name="$2" \
  --gres="gpu:$gpus_per_node" \
  --ntasks="${GPUS:-4}" \
  --ntasks-per-node="$gpus_per_node" \
  --cpus-per-task="${CPUS_PER_TASK:-5}" \
  --kill-on-bad-exit=1 \
  ${SRUN_ARGS:-} \
  python -u "$root/tools/test.py" "$3" "$4" --launcher slurm "${@:5}"
