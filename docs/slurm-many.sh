#!/usr/bin/env bash
# A training of several processes, on one node or many, that SLURM may stop and queue again:
#
#     sbatch --nodes=2 --ntasks-per-node=4 --gpus-per-task=1 docs/slurm-many.sh DATASET RUN [options]
#
# DATASET and RUN must be on a file system that all nodes see. One task a GPU, or one task a node
# that takes all GPUs of it. data.blocks_per_batch is best a multiple of the tasks, as in the option
# --set data.blocks_per_batch=8.
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

# A process that ends must not take the others with it: they end together, after a checkpoint.
srun --kill-on-bad-exit=0 hm-train "$@" "${resume[@]}" --distributed slurm &
child=$!
# srun hands both signals to every process.
trap 'kill -USR1 "$child"' USR1
trap 'kill -TERM "$child"' TERM

# A trapped signal ends `wait` early, so it is asked until the child has ended; the last time for
# the exit code of srun, the largest of all processes, which bash remembers.
while wait "$child"; kill -0 "$child" 2>/dev/null; do :; done
wait "$child"
code=$?

# 75: a checkpoint was made, there is more to do. What cannot be queued again ends as it is.
if [ "$code" -eq 75 ] && [ -n "${SLURM_JOB_ID:-}" ]; then
  scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
