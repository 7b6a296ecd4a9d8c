"""Package, release and remove a stage. Nothing here is deployed."""

from pathlib import Path

# The folder of serverless.yml, pyproject.toml and .venv.
ROOT = Path(__file__).resolve().parent.parent
