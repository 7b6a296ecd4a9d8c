"""The site in an execution environment, behind a relay in front of its database."""

import time
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode
from uuid import uuid4

from apps.aws_lambda.cli.lambda_service import ExecutionEnvironment, FunctionError
from tests.aws_lambda.database.relay import Relay
from tests.aws_lambda.database.server import SiteServer
from tests.events import load_event
from tests.services.pgbouncer import PgBouncer

CSRF = "c" * 32
EXPECTED = {"read": 200, "write": 302, "ready": 200}
# The function's timeout, shorter than a real one to save time.
TIMEOUT_SECONDS = 12


@dataclass(frozen=True)
class Outcome:
    """The result of one request."""

    name: str
    status: int
    seconds: float
    error: str = ""

    @property
    def served(self) -> bool:
        """Return whether the response has the expected status."""
        return self.status == EXPECTED[self.name]

    @property
    def hung(self) -> bool:
        """Return whether the function timed out, which ends the environment."""
        return self.error == "Sandbox.Timedout"


class Site:
    """
    Serve the project with a database profile, directly or through pgbouncer.

    ``options`` is a query string for DATABASE_URL, to override the profile.
    """

    def __init__(
        self,
        server: SiteServer,
        profile: str,
        pgbouncer: PgBouncer | None = None,
        *,
        options: str = "",
        handler: str = "lambda_entry.http",
        variables: dict[str, str] | None = None,
    ) -> None:
        self.server = server
        self.profile = profile
        self.pgbouncer = pgbouncer
        self.relay = Relay((pgbouncer or server.postgresql).port)
        self.environment = ExecutionEnvironment(
            server.variables(self.relay.port, profile, options) | (variables or {}),
            handler=handler,
        )

    def __enter__(self) -> Self:
        try:
            self.environment.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop the environment and close its connections."""
        self.environment.stop()
        self.relay.close()

    def held(self) -> int:
        """Return the number of this site's connections at pgbouncer, or the server."""
        ports = self.relay.ports()
        if self.pgbouncer:
            clients = self.pgbouncer.ask("SHOW CLIENTS")
            return sum(port in row for row in clients for port in ports)
        query = "SELECT count(*) FROM pg_stat_activity WHERE client_port = ANY(%s)"
        [(count,)] = self.server.ask(query, ports)
        return int(count)

    def visit(self) -> list[Outcome]:
        """Request an admin page, change a document, and request /health/ready."""
        return [self.request(name) for name in EXPECTED]

    def request(self, name: str, seconds: float = TIMEOUT_SECONDS) -> Outcome:
        """Send one of the requests in EXPECTED."""
        page = f"/admin/documents/document/{self.server.document}/change/"
        note = uuid4().hex
        events = {
            "read": lambda: self.event(page),
            "write": lambda: self.event(page, title="Minutes", note=note),
            "ready": lambda: self.event("/health/ready"),
        }
        start = time.monotonic()
        try:
            result = self.environment.invoke(events[name](), seconds)
            status, error = int(result["statusCode"]), ""
        except FunctionError as failure:
            status, error = 0, failure.type
        took = time.monotonic() - start
        if name == "write" and status == EXPECTED[name] and self.note() != note:
            status, error = 0, "the change was lost"
        return Outcome(name, status, took, error)

    def event(self, path: str, **form: str) -> dict[str, Any]:
        """Return an event with the session of a staff user."""
        event = load_event("http_default_post", rawPath=path, isBase64Encoded=False)
        event["cookies"] = [f"csrftoken={CSRF}", f"sessionid={self.server.session}"]
        event["body"] = urlencode({"csrfmiddlewaretoken": CSRF, **form})
        event["headers"]["content-length"] = str(len(event["body"]))
        if not form:
            event["requestContext"]["http"]["method"] = "GET"
            event["body"] = ""
            del event["headers"]["content-length"], event["headers"]["content-type"]
        return event

    def note(self) -> str:
        """Return the stored note of the document that ``write`` changes."""
        query = "SELECT note FROM documents_document WHERE id = %s"
        [(note,)] = self.server.ask(query, self.server.document)
        return str(note)
