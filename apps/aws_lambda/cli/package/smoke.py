"""Serve a package with Lambda's runtime client before it is uploaded."""

import ast
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from ...test.event_source import EventSource
from ...test.http_api import HttpApi
from ...test.rest_api import RestApi
from ...test.wire import Request, Response, Streamed
from ..configuration import FILE, Configuration
from ..lambda_service import ExecutionEnvironment, FunctionError, StreamedResult
from . import PackageError
from .archive import TASK_ROOT
from .runtime import environment, lambda_runtime

REFERENCE = re.compile(r"^(ssm|secretsmanager):")
TIMEOUT_SECONDS = 60
# For a site without a domain, whose host name exists on AWS only.
HOST = "smoke.example.com"
# The test has no database. Drivers' own exceptions are causes of Django's.
DATABASE_ERROR = re.compile(r"django\.db\.utils\.\w*Error")


def smoke_test(
    root: Path, stage: dict[str, Any], configuration: Configuration, python: Path
) -> str:
    """
    Start every handler of an unpacked package, and return what was tested.

    ``stage`` are the environment variables of the functions, and ``python`` is the
    interpreter that runs them. The web handler must also serve pages and a static
    file. Raises PackageError with the failure and the end of the log.
    """
    variables, unknown = stage_variables(stage, configuration)
    variables = variables_for(root, variables)
    tested, notes = [], []
    before = snapshot(root)
    with lambda_runtime(python) as runtime:
        for name in handlers(root):
            running = environment(root, runtime, name, variables, python)
            try:
                with running:
                    tested.append(name)
                    if name == "http":
                        apis = event_sources(variables["LAMBDA_HOSTS"], variables)
                        tested[-1] += f" ({', '.join(api.name for api in apis)})"
                        notes = get_pages(running, apis, configuration, root)
                    check_bundle_used(name, running.log)
            except FunctionError as error:
                raise failure(name, str(error), running.log) from None
    notes += check_written(root, before)
    if unknown:
        notes.append(f"without {', '.join(unknown)}")
    return "; ".join([f"Started {', '.join(tested)}", *notes])


def stage_variables(
    stage: dict[str, Any], configuration: Configuration
) -> tuple[dict[str, str], list[str]]:
    """
    Return the variables with known values, and the names of the others.

    References to secrets and CloudFormation functions have a value on AWS only. The
    stand-ins of the configuration replace those; they never override a known value.
    """
    known = {
        name: str(value)
        for name, value in stage.items()
        if not isinstance(value, dict) and not REFERENCE.match(str(value))
    }
    variables = dict(configuration.stand_ins) | known
    return variables, sorted(set(stage) - set(variables) - {"LAMBDA_HOSTS"})


def variables_for(root: Path, variables: dict[str, str]) -> dict[str, str]:
    """Return the variables of a package in a folder; LAMBDA_HOSTS is one host name."""
    moved = {
        name: re.sub(rf"^{TASK_ROOT}(?=/|$)", str(root), value)
        for name, value in variables.items()
    }
    # The requests of this test do not come from CloudFront.
    return moved | {"LAMBDA_HOSTS": host_of(moved), "LAMBDA_ORIGIN_SECRET": ""}


def host_of(variables: dict[str, str]) -> str:
    """Return a host name that the site accepts: of its URL, or of a list of hosts."""
    if public := urlsplit(variables.get("PUBLIC_URL", "")).hostname:
        return public
    for name in ("LAMBDA_HOSTS", "ALLOWED_HOSTS"):
        host = variables.get(name, "").split(",")[0].strip()
        if host and host != "*":
            # A leading dot allows subdomains.
            return f"smoke{host}" if host.startswith(".") else host
    return HOST


def handlers(root: Path) -> list[str]:
    """Return the names that lambda_entry assigns from calls of `handlers.*`."""
    try:
        tree = ast.parse((root / "lambda_entry.py").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise PackageError(
            "The package has no lambda_entry.py, which the functions in serverless.yml "
            f'name. Add "lambda_entry.py" to `code` in {FILE}.'
        ) from None
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


def check_written(root: Path, before: dict[Path, tuple[int, int]]) -> list[str]:
    """
    Raise PackageError if the site wrote into the package, unless a SQLite database.

    SQLite creates it for root only. For other users it fails, as on Lambda, and the
    page needs a database. Returns a note about it.
    """
    after = snapshot(root)
    changed = [
        path for path in {**before, **after} if before.get(path) != after.get(path)
    ]
    written = [path for path in changed if not path.is_dir()] or changed
    names = sorted(str(path.relative_to(root)) for path in written)
    if any(not re.search(r"\.(sqlite|db)", name) for name in names):
        raise PackageError(
            f"The package wrote {', '.join(names)} in its own folder, which is "
            "read-only on Lambda. Write into /tmp, or into a database or a bucket."
        )
    return [f"{name} cannot be written on Lambda" for name in names]


def event_sources(host: str, variables: dict[str, str]) -> tuple[EventSource, ...]:
    """
    Return the gateways of the test, at the path of the public URL.

    Of a stage that streams, the REST API takes streams, and the HTTP API whole results.
    """
    # AWS's runtime client does not stream.
    streams = "AWS_LAMBDA_EXEC_WRAPPER" in variables and (
        variables.get("LAMBDA_STREAMING", "").lower() == "true"
    )
    public = urlsplit(variables.get("PUBLIC_URL", ""))
    base = (public.path or variables.get("LAMBDA_BASE_PATH", "")).rstrip("/")
    # A mapped domain's events name a stage that its URLs do not contain.
    stage = "live" if base else "$default"
    return (
        RestApi("REST API", host, base, {"streaming": streams}),
        HttpApi("HTTP API", host, base, stage=stage),
    )


def get_pages(
    running: ExecutionEnvironment,
    apis: tuple[EventSource, ...],
    configuration: Configuration,
    root: Path,
) -> list[str]:
    """
    Request the configured pages and a static file through each gateway.

    Returns what could not be tested. Raises PackageError for a page that is not
    served. One that fails for want of a database is: its code was loaded and run.
    """
    notes = {}
    static = static_file(root)
    for api in apis:
        for page in configuration.requested:
            start = len(running.log.encode())
            response = get(running, api, page)
            log = running.log_from(start).decode(errors="replace")
            if response.status >= 500 and DATABASE_ERROR.search(log):
                notes[page] = f"{page} needs a database"
            elif not configuration.is_healthy(response.status):
                raise refused(
                    running, api, page, response.status, f"`pages` in {FILE} has it."
                )
        if static and get(running, api, static).status != 200:
            status = get(running, api, static).status
            advice = (
                "The package has this file. WhiteNoise serves it: add its middleware, "
                "and let STATIC_ROOT be the same folder on Lambda (LAMBDA_STATIC_ROOT)."
            )
            raise refused(running, api, static, status, advice)
    return list(notes.values())


def check_bundle_used(name: str, log: str) -> None:
    """Raise PackageError if the log of a handler says that it has no code bundle."""
    if reason := re.search(r"[^\"\n]*\bcode bundle\b[^\"\n]*", log):
        raise failure(name, reason[0], log)


def static_file(root: Path) -> str:
    """Return the URL of a static file of the package, or "" if it serves none."""
    manifest = root / "build.json"
    static = json.loads(manifest.read_text())["static"] if manifest.is_file() else {}
    url, folder = static.get("url", ""), static.get("folder", "")
    if not folder or urlsplit(url).netloc:
        return ""
    try:
        names = json.loads((root / folder / "staticfiles.json").read_text())["paths"]
        found = sorted(names.values())
    except (OSError, KeyError, ValueError):
        found = sorted(
            path.relative_to(root / folder).as_posix()
            for path in (root / folder).rglob("*")
            if path.is_file()
        )
    # Also the kind of file that a browser asks for first.
    found.sort(key=lambda name: not name.endswith((".css", ".js")))
    return f"{url.rstrip('/')}/{quote(found[0])}" if found else ""


def get(running: ExecutionEnvironment, api: EventSource, path: str) -> Response:
    """Return the response to a GET request for a path below the gateway's prefix."""
    url = f"{api.prefix}{path}"
    request = Request("GET", url, (("Host", api.host), ("Accept", "*/*")))

    def handler(event: Any, context: Any) -> Any:
        result = running.invoke(event, TIMEOUT_SECONDS)
        if isinstance(result, StreamedResult):
            # Until it is read, the function gets no other event.
            return Streamed((json.dumps(result.prelude).encode() + bytes(8), *result))
        return result

    return api.send(handler, request)


def refused(
    running: ExecutionEnvironment, api: EventSource, path: str, status: int, advice: str
) -> PackageError:
    reason = f"GET {api.prefix}{path} returned {status} through the {api.name}. "
    return failure("http", reason + advice, running.log)


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
