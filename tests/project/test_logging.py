"""The log of the site, as Lambda keeps it."""

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
        ("/health/ready", "The database does not answer"),
        # Logged by Django, when every middleware has returned.
        ("/nowhere", "Not Found: /nowhere"),
    ],
)
def test_every_log_line_of_a_request_carries_its_id(path: str, message: str):
    event = load_event("http_default", rawPath=path)
    event["requestContext"]["requestId"] = "from-the-gateway"

    output = subprocess.check_output(
        [sys.executable, "-W", "ignore", "-c", INVOKE, json.dumps(event)],
        cwd=ROOT,
        # Port 1 is nobody's.
        env={
            "ALLOWED_HOSTS": "*",
            "DATABASE_URL": "postgres://a:b@127.0.0.1:1/c",
            "ENV_FILE": os.devnull,
        },
        text=True,
    )

    line = next(line for line in output.splitlines() if message in line)
    assert "from-the-gateway" in line
