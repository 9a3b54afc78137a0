"""A split, predicted and compared with its labels: streamed, in bounded memory."""
