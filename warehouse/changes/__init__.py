"""What changed order on a board, whether that is true of the models, why, and since when."""
