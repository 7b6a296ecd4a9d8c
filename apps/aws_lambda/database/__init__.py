"""Database connections that survive a freeze."""
