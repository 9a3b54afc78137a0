"""Errors of predictions on a split against its labels, streamed in bounded memory."""
