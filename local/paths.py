"""The project folder, and the Serverless CLI installed in it."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SERVERLESS = ROOT / "node_modules" / ".bin" / "serverless"
