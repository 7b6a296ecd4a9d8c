"""Release a stage, roll it back, show it and remove it."""
