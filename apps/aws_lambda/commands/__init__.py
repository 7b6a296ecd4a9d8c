"""Management commands on Lambda: by schedule and by an operator."""
