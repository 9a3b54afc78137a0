#!/usr/bin/env bash
# A training that SLURM may stop and queue again as often as it likes:
#
#     sbatch docs/slurm.sh DATASET RUN [options of hm-train]
#
#SBATCH --job-name=hm-train
#SBATCH --time=04:00:00
#SBATCH --cpus-per-task=4
#SBATCH --requeue
#SBATCH --open-mode=append
# SIGUSR1 to this script two minutes before the time is over: enough for a step and a checkpoint.
#SBATCH --signal=B:USR1@120
set -u

run=$2
resume=()
if [ -e "$run/recipe.json" ]; then resume=(--resume); fi

hm-train "$@" "${resume[@]}" &
child=$!
trap 'kill -USR1 "$child"' USR1
trap 'kill -TERM "$child"' TERM

# A trapped signal ends `wait` early, so it is asked until the child has ended; the last time for
# the exit code of the child itself, which bash remembers.
while wait "$child"; kill -0 "$child" 2>/dev/null; do :; done
wait "$child"
code=$?

# 75: a checkpoint was made, there is more to do. What cannot be queued again ends as it is.
if [ "$code" -eq 75 ] && [ -n "${SLURM_JOB_ID:-}" ]; then
  scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
