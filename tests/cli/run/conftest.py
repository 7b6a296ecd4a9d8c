"""serverless-offline with the plugin, and a function that echoes its event."""

import json
import shutil
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from apps.aws_lambda.cli import ROOT
from apps.aws_lambda.cli.ports import free_port
from apps.aws_lambda.cli.run.offline import ServerlessOffline

SERVERLESS_YML = """
service: echo
plugins: [./apps/aws_lambda/cli/serverless/offline/index.js, serverless-offline]
provider:
  name: aws
  runtime: python3.14
  environment:
    STAGE: ${sls:stage}
    EMPTY: ""
    REFERENCE: !Sub "${AWS::Region}"
    FROM_CALLER: deployed
functions:
  http:
    handler: echo.handler
    timeout: 10
    environment:
      STAGE: ${sls:stage}
      OWN_REFERENCE: !GetAtt Queue.Arn
    events:
      - http: ANY /
      - http: ANY /{proxy+}
      - httpApi: "*"
"""


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def echo(self) -> dict[str, Any]:
        assert self.status == 200, self
        return json.loads(self.body)  # type: ignore[no-any-return]

    @property
    def event(self) -> dict[str, Any]:
        return self.echo["event"]  # type: ignore[no-any-return]


class Echo(NamedTuple):
    offline: ServerlessOffline

    def __call__(
        self,
        path: str,
        *,
        method: str = "GET",
        headers: tuple[tuple[str, str], ...] = (),
        body: bytes = b"",
        port: int | None = None,
    ) -> Answer:
        """Send exactly this request, without headers that http.client would add."""
        connection = HTTPConnection(
            "localhost", port or self.offline.http_port, timeout=20
        )
        connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in headers:
            connection.putheader(name, value)
        if body:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body or None)
        response: HTTPResponse = connection.getresponse()
        names = {name.lower(): value for name, value in response.getheaders()}
        answer = Answer(response.status, names, response.read())
        connection.close()
        return answer


@pytest.fixture(scope="session")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Echo]:
    # A path with a space.
    service = tmp_path_factory.mktemp("echo") / "the service"
    service.mkdir()
    (service / "serverless.yml").write_text(SERVERLESS_YML)
    shutil.copy(Path(__file__).with_name("echo.py"), service)
    for name in ("apps", "node_modules", ".venv"):
        (service / name).symlink_to(ROOT / name)
    offline = ServerlessOffline(
        http_port=free_port(),
        lambda_port=free_port(),
        log=service / "offline.log",
        environment={"FROM_CALLER": "caller", "VIRTUAL_ENV": "/another"},
        directory=service,
        until=["/", "/dev"],
    )
    offline.start()
    yield Echo(offline)
    offline.stop()
