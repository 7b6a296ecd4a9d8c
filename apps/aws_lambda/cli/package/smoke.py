"""Serve a package with Lambda's runtime client before it is uploaded."""

import ast
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ...test.event_source import EventSource
from ...test.http_api import HttpApi
from ...test.rest_api import RestApi
from ...test.wire import Request, Response
from ..lambda_service import ExecutionEnvironment, FunctionError
from .configuration import Configuration, PackageError
from .runtime import environment, lambda_runtime

REFERENCE = re.compile(r"^(ssm|secretsmanager):")
TIMEOUT_SECONDS = 60


def smoke_test(root: Path, stage: dict[str, Any], configuration: Configuration) -> str:
    """
    Start every handler of an unpacked package, and return what was tested.

    ``stage`` are the environment variables of the functions. The web handler must
    also answer requests. Raises PackageError with the failure and the end of the log.
    """
    variables, unknown = stage_variables(stage, configuration)
    # The requests of this test do not come from CloudFront.
    variables |= {"ENV_FILE": "/dev/null", "LAMBDA_ORIGIN_SECRET": ""}
    tested = []
    before = snapshot(root)
    with lambda_runtime() as runtime:
        for name in handlers(root):
            running = environment(root, runtime, name, variables)
            try:
                with running:
                    tested.append(name)
                    if name == "http":
                        tested[-1] += f" ({', '.join(get_pages(running, variables))})"
            except FunctionError as error:
                raise failure(name, str(error), running.log) from None
    if snapshot(root) != before:
        raise PackageError(
            "The package wrote into its own folder, which is read-only on Lambda."
        )
    sentence = f"Started {', '.join(tested)}"
    return f"{sentence}; without {', '.join(unknown)}" if unknown else sentence


def stage_variables(
    stage: dict[str, Any], configuration: Configuration
) -> tuple[dict[str, str], list[str]]:
    """
    Return the variables with known values, and the names of the others.

    References to secrets and CloudFormation functions have a value on AWS only. The
    stand-ins of pyproject.toml replace those; they never override a known value.
    """
    known = {
        name: str(value)
        for name, value in stage.items()
        if not isinstance(value, dict) and not REFERENCE.match(str(value))
    }
    variables = dict(configuration.stand_ins) | known
    return variables, sorted(set(stage) - set(variables))


def handlers(root: Path) -> list[str]:
    """Return the names that lambda_entry assigns from calls of `handlers.*`."""
    tree = ast.parse((root / "lambda_entry.py").read_text())
    return [
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Call)
        and ast.unparse(node.value.func).startswith("handlers.")
        for target in node.targets
        if isinstance(target, ast.Name)
    ]


def snapshot(root: Path) -> dict[Path, tuple[int, int]]:
    """Return the time and size of every file: modes do not stop root from writing."""
    return {
        path: (path.stat().st_mtime_ns, path.stat().st_size)
        for path in (root, *root.rglob("*"))
    }


def get_pages(running: ExecutionEnvironment, variables: dict[str, str]) -> list[str]:
    """Request pages through a REST API and an HTTP API; return the APIs' names."""
    public = urlsplit(variables.get("PUBLIC_URL", ""))
    host = public.hostname or variables["ALLOWED_HOSTS"].split(",")[0].strip()
    base = public.path or variables.get("LAMBDA_BASE_PATH", "").rstrip("/")
    # A mapped domain's events name a stage that its URLs do not contain.
    stage = "live" if base else "$default"
    apis = (
        RestApi("REST API", host, base),
        HttpApi("HTTP API", host, base, stage=stage),
    )
    for api in apis:
        get(running, api, f"{base}/health/live")
        page = get(running, api, f"{base}/admin/login/").body.decode()
        style = re.search(r'href="([^"]+\.[0-9a-f]{12}\.css)"', page)
        if style is None:
            raise PackageError(
                "The admin's login page has no style sheet with a hash in its name: "
                "the package lacks staticfiles/staticfiles.json, which collectstatic "
                "writes."
            )
        get(running, api, style[1])
    return [api.name for api in apis]


def get(running: ExecutionEnvironment, api: EventSource, path: str) -> Response:
    """Return the response to a GET request. Raises PackageError unless it is 200."""
    request = Request("GET", path, (("Host", api.host), ("Accept", "*/*")))

    def handler(event: Any, context: Any) -> Any:
        return running.invoke(event, TIMEOUT_SECONDS)

    response = api.send(handler, request)
    if response.status != 200:
        reason = f"GET {path} returned {response.status} through the {api.name}"
        raise failure("http", reason, running.log)
    return response


def failure(name: str, reason: str, log: str) -> PackageError:
    """Return a handler's failure, with the first error and the end of its log."""
    for line in log.splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and entry.get("level") in ("FATAL", "ERROR"):
            exception = entry.get("exception") or {}
            cause = f"{exception.get('type')}: {exception.get('message')}"
            reason += f"\n{entry.get('message')}: {cause}"
            break
    end = "\n".join(log.splitlines()[-5:])
    return PackageError(
        f"The smoke test of the handler {name} failed: {reason}\nEnd of its log:\n{end}"
    )
