"""The log of the site on Lambda."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.events import load_event

ROOT = Path(__file__).resolve().parents[2]

INVOKE = """
import json, sys
import lambda_entry
lambda_entry.http(json.loads(sys.argv[1]), None)
"""


@pytest.mark.parametrize(
    ("path", "message"),
    [
        # Logged by a view.
        ("/health/ready", "Cannot reach the database"),
        # Logged by Django, after all middleware.
        ("/nowhere", "Not Found: /nowhere"),
    ],
)
def test_every_log_line_of_a_request_has_its_id(path: str, message: str):
    event = load_event("http_default", rawPath=path)
    event["requestContext"]["requestId"] = "from-the-gateway"

    output = subprocess.check_output(
        [sys.executable, "-W", "ignore", "-c", INVOKE, json.dumps(event)],
        cwd=ROOT,
        # No server listens on port 1.
        env={
            "ALLOWED_HOSTS": "*",
            "DATABASE_URL": "postgres://a:b@127.0.0.1:1/c",
            "ENV_FILE": os.devnull,
        },
        text=True,
    )

    line = next(line for line in output.splitlines() if message in line)
    assert "from-the-gateway" in line
