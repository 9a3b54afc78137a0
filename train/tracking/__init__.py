"""Trackers beside metrics.jsonl: TensorBoard, wandb and MLflow."""
