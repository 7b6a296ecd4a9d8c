"""The log of the site on Lambda."""

import json
import os
import subprocess
import sys
from pathlib import Path
from shutil import copytree

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


@pytest.mark.parametrize("function", ["shop-dev-http", ""])
def test_the_functions_of_make_run_write_json(function: str):
    code = "import logging, lambda_entry; logging.getLogger('shop').error('Sold out')"

    output = subprocess.check_output(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=ROOT,
        env={
            "ENV_FILE": os.devnull,
            **({"AWS_LAMBDA_FUNCTION_NAME": function} if function else {}),
        },
        text=True,
    )

    [line] = [line for line in output.splitlines() if "Sold out" in line]
    if function:
        assert json.loads(line)["function_name"] == function
    else:
        assert line == "ERROR - shop Sold out"


IMPORT = """
import logging, sys
logging.basicConfig(level=logging.INFO, stream=sys.stdout)
import project.settings
"""


def test_a_missing_env_file_is_not_reported(tmp_path: Path):
    copytree(ROOT / "project", tmp_path / "project")

    output = subprocess.check_output(
        [sys.executable, "-c", IMPORT],
        cwd=tmp_path,
        env={"PYTHONPATH": f"{tmp_path}:{ROOT}"},
        text=True,
    )

    assert output == ""


WARN = """
import os
import lambda_entry, warnings
warnings.warn("this is old", stacklevel=1)
"""


def test_a_warning_is_a_log_line():
    process = subprocess.run(
        [sys.executable, "-W", "default", "-c", WARN],
        cwd=ROOT,
        env={
            "ALLOWED_HOSTS": "*",
            "AWS_LAMBDA_FUNCTION_NAME": "site-http",
            "DATABASE_URL": "postgres://a:b@127.0.0.1:1/c",
            "ENV_FILE": os.devnull,
            "MEDIA_BUCKET": "media",
            "SECRET_KEY": "only-for-tests-" * 4,
            "STAGE": "test",
        },
        capture_output=True,
        text=True,
        check=True,
    )

    assert process.stderr == ""
    lines = [json.loads(line) for line in process.stdout.splitlines()]
    [line] = [line for line in lines if "this is old" in line["message"]]
    assert (line["logger"], line["level"]) == ("py.warnings", "WARN")
