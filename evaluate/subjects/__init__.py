"""What is evaluated: anything that predicts potential and field, however it does it."""
