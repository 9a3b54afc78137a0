"""What a run tells TensorBoard, wandb and MLflow, beside its metrics.jsonl."""
