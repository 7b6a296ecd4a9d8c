"""Lambda's disk is read-only except for /tmp, which is not kept."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.events import load_event

ROOT = Path(__file__).resolve().parents[2]

# Prints the status of each request, and all files opened for writing.
WATCH = """
import json, os, sys

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC
CHANGES = {"os.mkdir", "os.remove", "os.rename", "os.rmdir", "shutil.copyfile"}
written = []

def watch(name, arguments):
    if name == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING:
        written.append(str(arguments[0]))
    elif name in CHANGES:
        written.append(f"{name} {arguments[0]}")

sys.addaudithook(watch)

import lambda_entry

results = [lambda_entry.http(event, None) for event in json.loads(sys.argv[1])]
print(json.dumps([[r["statusCode"] for r in results], written]))
"""


def test_pages_and_static_files_are_served_without_writing_files():
    static = Path(os.environ["STATIC_ROOT"])
    name = next(static.glob("admin/css/base.*.css")).name
    paths = ["/", "/admin/login/", f"/static/admin/css/{name}", "/nowhere"]

    # Without the session cookie of this event there is no database query.
    events = [load_event("http_default", rawPath=p, cookies=[]) for p in paths]

    output = subprocess.check_output(
        [
            *(sys.executable, "-B", "-W", "ignore", "-c", WATCH),
            json.dumps(events),
        ],
        cwd=ROOT,
        env={
            "ALLOWED_HOSTS": "*",
            "DATABASE_URL": "postgres://u:p@db.example.com:5432/site",
            "ENV_FILE": os.devnull,
            "SECRET_KEY": "s" * 60,
            "STAGE": "prod",
            "STATIC_ROOT": str(static),
        },
        text=True,
    )

    statuses, written = json.loads(output.splitlines()[-1])
    assert statuses == [200, 200, 200, 404]
    assert [path for path in written if path != os.devnull] == []
