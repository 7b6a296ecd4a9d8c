"""Serve a finished package through the real runtime client, before it is uploaded."""

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from apps.aws_lambda.test.door import Door
from apps.aws_lambda.test.http_api import HttpApi
from apps.aws_lambda.test.rest_api import RestApi
from apps.aws_lambda.test.wire import Request, Response
from local.execution_environment import ExecutionEnvironment
from local.runtime_api import FunctionError

from .configuration import Configuration, PackageError
from .runtime import environment, handlers, lambda_runtime, snapshot

REFERENCE = re.compile(r"^(ssm|secretsmanager):")
SECONDS = 60


def stage_variables(
    stage: dict[str, Any], configuration: Configuration
) -> tuple[dict[str, str], list[str]]:
    """
    Return a function's environment as far as it is known here, and what is not.

    References to secrets and CloudFormation's functions have a value on AWS only.
    The stand-ins of pyproject.toml take their place; a value that is known wins.
    """
    known = {
        name: str(value)
        for name, value in stage.items()
        if not isinstance(value, dict) and not REFERENCE.match(str(value))
    }
    variables = dict(configuration.stand_ins) | known
    return variables, sorted(set(stage) - set(variables))


def smoke(root: Path, stage: dict[str, Any], configuration: Configuration) -> str:
    """
    Start every handler of an unpacked package and visit it; return what was done.

    Raises PackageError, which says what failed and how the log ends.
    """
    variables, unknown = stage_variables(stage, configuration)
    variables |= {"ENV_FILE": "/dev/null"}
    done = []
    before = snapshot(root)
    with lambda_runtime() as runtime:
        for name in handlers(root):
            running = environment(root, runtime, name, variables)
            try:
                with running:
                    done.append(name)
                    if name == "http":
                        done[-1] += f" ({', '.join(visit(running, variables))})"
            except FunctionError as error:
                raise PackageError(told(name, str(error), running.log)) from None
    if snapshot(root) != before:
        raise PackageError(
            "The package wrote into its own folder, which is read-only on Lambda."
        )
    sentence = f"Started {', '.join(done)}"
    return f"{sentence}; without {', '.join(unknown)}" if unknown else sentence


def visit(running: ExecutionEnvironment, variables: dict[str, str]) -> list[str]:
    """Ask for pages through a REST and an HTTP API; return what was asked for."""
    public = urlsplit(variables.get("PUBLIC_URL", ""))
    host = public.hostname or variables["ALLOWED_HOSTS"].split(",")[0].strip()
    base = public.path or variables.get("LAMBDA_BASE_PATH", "").rstrip("/")
    # What the event of a mapped domain says of the stage is not in its URLs.
    stage = "live" if base else "$default"
    doors = (
        RestApi("REST API", host, base),
        HttpApi("HTTP API", host, base, stage=stage),
    )
    for door in doors:
        get(running, door, f"{base}/health/live")
        page = get(running, door, f"{base}/admin/login/").body.decode()
        style = re.search(r'href="([^"]+\.[0-9a-f]{12}\.css)"', page)
        if style is None:
            raise PackageError(
                "The admin's login page has no style sheet with a hashed name: the "
                "manifest of the static files is missing in the package."
            )
        get(running, door, style[1])
    return [door.name for door in doors]


def get(running: ExecutionEnvironment, door: Door, path: str) -> Response:
    """Return the response to a GET, which must be a 200."""
    request = Request("GET", path, (("Host", door.host), ("Accept", "*/*")))

    def handler(event: Any, context: Any) -> Any:
        return running.invoke(event, SECONDS)

    response = door.send(handler, request)
    if response.status != 200:
        raise PackageError(
            told(
                "http",
                f"{path} gave {response.status} through {door.name}",
                running.log,
            )
        )
    return response


def told(name: str, failure: str, log: str) -> str:
    """Return the failure with what the function logged of it, first error first."""
    for line in log.splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and entry.get("level") in ("CRITICAL", "ERROR"):
            exception = entry.get("exception") or {}
            cause = f"{exception.get('type')}: {exception.get('message')}"
            failure += f"\n{entry.get('message')}: {cause}"
            break
    end = "\n".join(log.splitlines()[-5:])
    return f"The package does not work: {name}: {failure}\nIts log ends:\n{end}"
