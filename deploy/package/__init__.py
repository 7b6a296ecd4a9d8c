"""Build the archive that Lambda runs, and try it before it is uploaded."""
