"""The site as a check starts it: its environment, its copied data, its processes."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from ...test.event_sources import EVENT_SOURCES, EventSource
from ..configuration import Configuration
from ..lambda_service.execution_environment import VARIABLES
from ..site import bare_environment
from .comparison import Answer
from .links import Place
from .process import CheckError, NoAnswer, SiteProcess

# No call leaves this machine for AWS.
WITHOUT_AWS = {
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_MAX_ATTEMPTS": "1",
}
# A deployment has one. Only the system checks see it: no page of a check needs AWS.
MEDIA_BUCKET = {"MEDIA_BUCKET": "stand-in-media-bucket"}
# Event sources whose prefix is chosen with the domain. The others' is a stage's name.
MAPPED = ("http_mapped_key", "rest_base_path")
# The folder of the databases that the others are copies of.
PREPARED = "prepared"
MAX_ENDS = 5
FAILURES = {"log_in": "cannot log in", "find_urls": "cannot load its URLconf"}


def deployed_host(stand_ins: Mapping[str, str]) -> str:
    """Return the host that the variables of a deployment name, or ""."""
    if host := urlsplit(stand_ins.get("PUBLIC_URL", "")).hostname:
        return host
    for variable in ("LAMBDA_HOSTS", "ALLOWED_HOSTS"):
        first = stand_ins.get(variable, "").split(",")[0].strip().lstrip(".")
        if first and first != "*":
            return first
    return ""


def choose_event_source(name: str | None, configuration: Configuration) -> EventSource:
    """
    Return the model of an event source, with the host that the deployment serves.

    Without a name it is that of an HTTP API, in front of which PUBLIC_URL may have a
    path. Raises CheckError for an unknown name.
    """
    stand_ins = configuration.stand_ins
    base_path = urlsplit(stand_ins.get("PUBLIC_URL", "")).path.rstrip("/")
    name = name or ("http_mapped_key" if base_path else "http_default")
    try:
        source = EVENT_SOURCES[name]
    except KeyError:
        raise CheckError(
            f"--event-source {name} is not one of {', '.join(EVENT_SOURCES)}."
        ) from None
    if source.prefix and name not in MAPPED:
        # The URL of a stage, which no domain has.
        return source
    prefix = source.prefix and (base_path or source.prefix)
    return replace(source, host=deployed_host(stand_ins) or source.host, prefix=prefix)


@dataclass(frozen=True)
class Surroundings:
    """
    What a site needs in order to start.

    ``scratch`` is a folder for copies of its data, its static files and its output.
    ``event_source`` has the host of the requests.
    """

    root: Path
    python: Path
    configuration: Configuration
    scratch: Path
    event_source: EventSource

    def plain_variables(self, settings: str) -> dict[str, str]:
        """Return the environment variables of the site without Lambda."""
        return {
            **bare_environment(),
            **{n: v for n, v in VARIABLES.items() if not n.startswith("AWS_LAMBDA_")},
            **WITHOUT_AWS,
            # Of this project, whose .env is not deployed.
            "ENV_FILE": os.devnull,
            "DJANGO_SETTINGS_MODULE": settings,
            **self.configuration.stand_ins,
        }

    def lambda_variables(self) -> dict[str, str]:
        """Return the environment variables of the function."""
        # Of an event source that does not send the prefix in its events.
        hidden = "base_path" in self.event_source.handler_options
        base_path = {"LAMBDA_BASE_PATH": self.event_source.prefix} if hidden else {}
        hosts = self.configuration.stand_ins.get("LAMBDA_HOSTS", "")
        return {
            **VARIABLES,
            "LAMBDA_TASK_ROOT": str(self.root),
            "_HANDLER": "lambda_entry.http",
            **base_path,
            **self.plain_variables(self.configuration.settings),
            "LAMBDA_HOSTS": ",".join(filter(None, [hosts, self.event_source.host])),
            "LAMBDA_STATIC_ROOT": str(self.scratch / "static"),
            # The requests of a check do not come from CloudFront.
            "LAMBDA_ORIGIN_SECRET": "",
        }

    def isolation(self, name: str, settings: str) -> dict[str, str]:
        """Return the arguments of `isolate`, with a folder for the data of a side."""
        return {
            "settings": settings,
            "data": str(self.scratch / name),
            "static": str(self.scratch / "static"),
        }

    def process(self, name: str, variables: dict[str, str]) -> SiteProcess:
        """Start a process whose output is kept under a name."""
        log = self.scratch / f"{name}.log"
        return SiteProcess(self.python, self.root, variables, log)


class ServedSite:
    """
    A process that serves the site with one of its settings; a context manager.

    It has a copy of the prepared databases. Another process replaces one that ends,
    or that does not answer in ``timeout`` seconds. ``start`` is the call that loads
    the site, with its arguments, and ``title`` names it in messages.
    """

    def __init__(
        self,
        surroundings: Surroundings,
        name: str,
        title: str,
        variables: dict[str, str],
        start: tuple[str, dict[str, Any]],
        timeout: float,
    ) -> None:
        self.surroundings = surroundings
        self.name = name
        self.title = title
        self.variables = variables
        self.load, self.arguments = start
        self.timeout = timeout
        self.facts: dict[str, Any] = {}
        self._process: SiteProcess | None = None
        self._cookies: dict[str, str] = {}
        self._ends = 0

    @property
    def place(self) -> Place:
        """Return where the site is."""
        return Place(self.facts["host"], self.facts["prefix"])

    def start(self) -> SiteProcess:
        """Return the process, started if it does not run. Raises CheckError."""
        if self._process is None:
            data = self.surroundings.scratch / self.name
            shutil.rmtree(data, ignore_errors=True)
            prepared = self.surroundings.scratch / PREPARED
            # A site may have no database.
            prepared.mkdir(exist_ok=True)
            shutil.copytree(prepared, data)
            self._cookies = {}
            self._process = self.surroundings.process(self.name, self.variables)
            self.facts = self._call(self._process, self.load, self.arguments)
        return self._process

    def _call(
        self, process: SiteProcess, name: str, arguments: Mapping[str, Any]
    ) -> Any:
        try:
            return process.call(name, arguments)
        except CheckError as error:
            failed = FAILURES.get(name, "cannot start")
            raise CheckError(f"{self.title}, {failed}: {error}") from None

    def urls(self) -> list[str]:
        """Return the paths of its URLs without arguments. Raises CheckError."""
        found: list[str] = self._call(self.start(), "find_urls", {})
        return found

    def send(self, path: str, user: str = "") -> None:
        """
        Request a path and query of the site; `receive` returns the answer.

        ``user`` is the primary key of an account whose session is sent, or "".
        """
        process = self.start()
        if user and user not in self._cookies:
            self._cookies[user] = self._call(process, "log_in", {"user": user})
        process.send("get", {"target": path, "cookie": self._cookies.get(user, "")})

    def receive(self) -> Answer:
        """Return the answer. Raises CheckError if there was none five times."""
        try:
            return Answer(**self.start().receive(self.timeout))
        except NoAnswer as reason:
            self.stop()
            self._ends += 1
            if self._ends == MAX_ENDS:
                raise CheckError(
                    f"{self.title}: {MAX_ENDS} requests had no answer; the last one: "
                    f"{reason}. Correct these pages, or raise --timeout."
                ) from None
            return Answer(0, error=str(reason))

    def get(self, path: str, user: str = "") -> Answer:
        """Return the answer to a GET request."""
        self.send(path, user)
        return self.receive()

    def stop(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()


def plain_site(
    surroundings: Surroundings, settings: str, *, timeout: float
) -> ServedSite:
    """Return the site behind its own WSGI application."""
    return ServedSite(
        surroundings,
        "plain",
        f"The site without Lambda, {settings}",
        surroundings.plain_variables(settings),
        ("start_plain", surroundings.isolation("plain", settings)),
        timeout,
    )


def lambda_site(surroundings: Surroundings, *, timeout: float) -> ServedSite:
    """Return the site behind lambda_entry.py and the event source."""
    source = surroundings.event_source
    variables = surroundings.lambda_variables()
    # lambda_entry.py has to set it.
    del variables["DJANGO_SETTINGS_MODULE"]
    arguments = {
        **surroundings.isolation("lambda", surroundings.configuration.settings),
        "event_source": source.name,
        "host": source.host,
        "prefix": source.prefix,
    }
    return ServedSite(
        surroundings,
        "lambda",
        "The site on Lambda, lambda_entry.py",
        variables,
        ("start_lambda", arguments),
        timeout,
    )
