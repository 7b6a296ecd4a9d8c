"""A service without Django, whose code the tests of a reload change."""

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple

from apps.aws_lambda.cli import ROOT, SERVERLESS
from apps.aws_lambda.cli.ports import free_port
from apps.aws_lambda.cli.run.offline import ServerlessOffline

SERVERLESS_YML = """
service: reload
plugins: [./.links/offline/index.js, serverless-offline]
provider: {name: aws, runtime: python3.13}
functions:
  http:
    handler: main.handler
    timeout: 28
    events:
      - http: ANY /
      - http: ANY /{proxy+}
      - httpApi: "*"
  other:
    handler: main.other
    timeout: 2
  node:
    handler: node.handler
    runtime: nodejs20.x
"""
# Each process of the function http leaves its ID when it starts. Other files can be
# saved between the two imports.
MAIN = """
import json, os, time
from pathlib import Path

if os.environ["_HANDLER"] == "main.handler":
    with open(os.environ["STARTS"], "a") as starts:
        starts.write(f"{os.getpid()}\\n")

import first
time.sleep(0.05)
import second


def handler(event, context):
    parameters = event.get("queryStringParameters") or {}
    time.sleep(float(parameters.get("seconds", 0)))
    if together := int(parameters.get("together", 0)):
        # Until as many requests run at once.
        folder = Path(os.environ["STARTS"] + "-together")
        folder.mkdir(exist_ok=True)
        (folder / str(os.getpid())).touch()
        while len(list(folder.iterdir())) < together:
            time.sleep(0.05)
    answer = {"first": first.VALUE, "second": second.VALUE, "pid": os.getpid()}
    return {"statusCode": 200, "body": json.dumps(answer)}


def other(event, context):
    time.sleep(event.get("seconds", 0))
    return {"first": first.VALUE, "pid": os.getpid()}
"""


FILES = {
    "serverless.yml": SERVERLESS_YML,
    "main.py": MAIN,
    "first.py": "VALUE = 0\n",
    "second.py": "VALUE = 0\n",
    "node.js": "exports.handler = async () => ({ node: process.version });",
}


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    text: str

    @property
    def values(self) -> dict[str, Any]:
        assert self.status == 200, self
        return json.loads(self.text)  # type: ignore[no-any-return]


class Service:
    """A running service, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "service"
        self.starts = folder / "starts"
        self.log = folder / "offline.log"
        (self.root / ".links").mkdir(parents=True)
        offline = ROOT / "apps/aws_lambda/cli/serverless/offline"
        (self.root / ".links" / "offline").symlink_to(offline)
        for name in (".venv", "node_modules"):
            (self.root / name).symlink_to(ROOT / name)
        for name, text in FILES.items():
            self.write(name, text)
        self.read = 0

    @contextmanager
    def running(self, **variables: str) -> Iterator["Service"]:
        """Serve until the block ends."""
        assert SERVERLESS.exists()
        self.offline = ServerlessOffline(
            http_port=free_port(),
            lambda_port=free_port(),
            log=self.log,
            # As for a developer, whose Python writes bytecode.
            environment={
                "STARTS": str(self.starts),
                "PYTHONDONTWRITEBYTECODE": "",
                # A loaded machine starts no other process meanwhile.
                "ENVIRONMENT_WAIT_MS": "60000",
                **variables,
            },
            directory=self.root,
            until=["/"],
        )
        with self.offline:
            yield self

    def reset(self) -> None:
        """Restore the files, and forget what was printed, and what has started."""
        for path in self.root.iterdir():
            if (
                path.name not in FILES
                and not path.name.startswith(".")
                and path.is_file()
            ):
                path.unlink()
        for name, text in FILES.items():
            if (self.root / name).read_text() != text:
                self.write(name, text)
        pid = self.get().values["pid"]
        self.starts.write_text(f"{pid}\n")
        self.read = self.log.stat().st_size

    def printed(self) -> str:
        """Return the log since the last reset."""
        return self.log.read_bytes()[self.read :].decode()

    def write(self, name: str, text: str) -> None:
        """Write into a file, as `echo` does."""
        (self.root / name).parent.mkdir(parents=True, exist_ok=True)
        (self.root / name).write_text(text)

    def save(self, name: str, text: str) -> None:
        """Write another file, and rename it, as editors do."""
        part = self.root / f".{name}.part"
        part.write_text(text)
        part.rename(self.root / name)

    def get(self, path: str = "/", **headers: str) -> Answer:
        return self._send("GET", self.offline.http_port, path, headers)

    def invoke(self, function: str, **event: int) -> Answer:
        """Invoke a function directly."""
        path = f"/2015-03-31/functions/reload-dev-{function}/invocations"
        return self._send("POST", self.offline.lambda_port, path, {}, json.dumps(event))

    def _send(
        self,
        method: str,
        port: int,
        path: str,
        headers: dict[str, str],
        body: str | None = None,
    ) -> Answer:
        connection = HTTPConnection("localhost", port, timeout=30)
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        names = {name.lower(): value for name, value in response.getheaders()}
        answer = Answer(response.status, names, response.read().decode())
        connection.close()
        return answer

    def started(self) -> list[int]:
        """Return the IDs of the processes that have started."""
        return [int(line) for line in self.starts.read_text().splitlines()]


def wait_until(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 60
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def alive(pid: int) -> bool:
    """Return whether a process runs, or has ended and is not known to its parent."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
