"""Release a stage, roll it back, look at it and remove it."""
