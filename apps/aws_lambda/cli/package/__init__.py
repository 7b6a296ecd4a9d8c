"""Build the archive that Lambda runs, and test it before it is uploaded."""
