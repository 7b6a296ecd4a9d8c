"""The other end of the manage function: what `manage.py remote` does."""
