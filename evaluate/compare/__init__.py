"""Which of two models is better, by how much, and how sure that is: on the same samples."""
