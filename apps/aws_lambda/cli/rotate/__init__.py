"""Replace a secret of a stage while it serves requests."""
