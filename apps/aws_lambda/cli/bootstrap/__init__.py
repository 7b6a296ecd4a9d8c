"""Prepare an account, so that GitHub Actions can release a stage."""
