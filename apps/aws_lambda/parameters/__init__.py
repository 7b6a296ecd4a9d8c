"""References to parameters and secrets in environment variables."""
