"""The module that Lambda imports."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import lambda_entry
from apps.aws_lambda.test import LambdaContext
from tests.events import load_event

ROOT = Path(lambda_entry.__file__).parent

# Prints which WSGI application served each of two invocations.
TWO_INVOCATIONS = """
import json, os, sys
from django.core.handlers.wsgi import WSGIHandler

served = []
call = WSGIHandler.__call__
built = []
init = WSGIHandler.__init__
WSGIHandler.__init__ = lambda self: built.append(id(self)) or init(self)
WSGIHandler.__call__ = lambda self, *args: served.append(id(self)) or call(self, *args)

import lambda_entry

served.clear()  # the warm-up's
event = json.loads(sys.argv[1])
results = [lambda_entry.http(event, None) for _ in range(2)]
print(json.dumps({
    "pid": os.getpid(),
    "built": len(built),
    "served": len(served),
    "applications": len(set(served)),
    "statuses": [result["statusCode"] for result in results],
}))
"""


def run_two_invocations() -> dict:
    event = load_event("http_default", rawPath="/health/live")
    output = subprocess.check_output(
        [sys.executable, "-W", "ignore", "-c", TWO_INVOCATIONS, json.dumps(event)],
        cwd=ROOT,
        text=True,
    )
    result: dict = json.loads(output.splitlines()[-1])
    return result


def test_invocations_share_one_application_per_process():
    first, second = run_two_invocations(), run_two_invocations()

    for process in (first, second):
        assert process["statuses"] == [200, 200]
        assert process["built"] == 1
        assert process["served"] == 2
        assert process["applications"] == 1
    assert first["pid"] != second["pid"]


@pytest.mark.django_db
def test_the_handler_is_built_at_import():
    event = load_event("http_default", rawPath="/health/live")

    result = lambda_entry.http(event, LambdaContext())

    assert result["statusCode"] == 200


def test_an_init_failure_is_logged_once_and_raised_without_its_message():
    process = subprocess.run(
        [sys.executable, "-c", "import lambda_entry"],
        cwd=ROOT,
        env={"STAGE": "prod", "ENV_FILE": "/dev/null"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert process.returncode == 1
    [line] = process.stdout.splitlines()
    entry = json.loads(line)
    assert entry["level"] == "FATAL"
    expected = "SECRET_KEY, DATABASE_URL, ALLOWED_HOSTS are not set"
    assert expected in entry["exception"]["message"]
    assert (
        "InitError: The init phase failed with ImproperlyConfigured" in process.stderr
    )
    assert expected not in process.stderr


def test_the_web_function_does_not_import_modules_of_other_functions():
    program = (
        "import sys, lambda_entry; print([name for name in sys.modules if "
        "name in ('boto3', 'botocore') or name.startswith("
        "('apps.aws_lambda.commands.runner', 'apps.aws_lambda.commands.remote', "
        "'apps.aws_lambda.commands.schedule', 'apps.aws_lambda.commands.manage'))])"
    )

    output = subprocess.check_output(
        [sys.executable, "-W", "ignore", "-c", program],
        cwd=ROOT,
        env={**os.environ, "_HANDLER": "lambda_entry.http"},
        text=True,
    )

    assert output.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("wanted", "built"),
    [
        ("lambda_entry.http", "1"),
        ("lambda_entry.tasks", "0"),
        # Of a layer, which calls lambda_entry.http itself.
        ("otel_wrapper.lambda_handler", "1"),
    ],
)
def test_a_function_builds_only_its_own_handler(wanted: str, built: str):
    program = "import lambda_entry; print(int(lambda_entry.http.__name__ == 'handler'))"

    output = subprocess.check_output(
        [sys.executable, "-W", "ignore", "-c", program],
        cwd=ROOT,
        env={**os.environ, "_HANDLER": wanted},
        text=True,
    )

    assert output.splitlines()[-1] == built


def test_django_is_imported_without_the_garbage_collector():
    program = """
import gc, sys

class Finder:
    def find_spec(self, name, path, target=None):
        if name == "django":
            print("collector:", gc.isenabled())

sys.meta_path.insert(0, Finder())
import lambda_entry
print("collector:", gc.isenabled())
"""

    output = subprocess.check_output(
        [sys.executable, "-W", "ignore", "-c", program], cwd=ROOT, text=True
    )

    lines = [line for line in output.splitlines() if line.startswith("collector:")]
    assert lines == ["collector: False", "collector: True"]
