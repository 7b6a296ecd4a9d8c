"""
The database password is replaced while environments use the former one.

The Parameter Store is a local AWS, the manage function runs in the real runtime client,
and the role belongs to a PostgreSQL.
"""

import secrets
from collections.abc import Iterator
from itertools import count
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from apps.aws_lambda.cli.lambda_service import ExecutionEnvironment
from apps.aws_lambda.cli.report import DeployError
from apps.aws_lambda.cli.rotate import database_password
from tests.aws_lambda.database.server import ROLE, SiteServer
from tests.cli.release.aliases import OLD, Aliases
from tests.services.aws import AWS, REGION

NAME = "/site/prod/database-url"


class Site(Aliases):
    """
    A stage with its manage function, and an environment that has been serving.

    ``stop`` is the number of AWS calls and commands after which an operator interrupts.
    """

    def __init__(self, aws: AWS, server: SiteServer) -> None:
        super().__init__(OLD)
        self.aws = aws
        self.server = server
        self.configuration["provider"] = {
            "region": REGION,
            "environment": {"DATABASE_URL": f"ssm:{NAME}"},
        }
        self.stop = 1_000
        self.commands: list[list[str]] = []
        self.manage = self.environment("manage")
        self.serving = self.environment("http")

    def environment(self, function: str) -> ExecutionEnvironment:
        variables = self.server.variables(self.server.postgresql.port)
        return ExecutionEnvironment(
            variables
            | self.aws.environment()
            | {"DATABASE_URL": f"ssm:{NAME}", "LOG_LEVEL": "INFO"},
            handler=f"lambda_entry.{function}",
        )

    def client(self, service: str) -> Any:
        return self.aws.client(service)

    def call(self, service: str, operation: str, **parameters: Any) -> Any:
        self.count()
        return super().call(service, operation, **parameters)

    def count(self) -> None:
        self.stop -= 1
        if self.stop < 0:
            raise KeyboardInterrupt

    def run(self, argv: list[str]) -> int:
        self.count()
        self.commands.append(argv)
        result = self.manage.invoke({"argv": argv}, 60)
        self.count()
        return int(result["exit_code"])

    def rotate(self) -> None:
        database_password.rotate(self, self.run)

    def stored(self) -> str:
        answer = self.aws.client("ssm").get_parameter(Name=NAME, WithDecryption=True)
        return str(answer["Parameter"]["Value"])

    def store(self, url: str) -> None:
        self.aws.client("ssm").put_parameter(
            Name=NAME, Value=url, Type="SecureString", Overwrite=True
        )

    def is_ready(self) -> bool:
        """Return whether the serving environment reaches its database."""
        event = {
            "version": "2.0",
            "rawPath": "/health/ready",
            "rawQueryString": "",
            "headers": {"host": "site"},
            "requestContext": {
                "http": {"method": "GET", "protocol": "HTTP/1.1", "sourceIp": "::1"}
            },
            "isBase64Encoded": False,
        }
        return bool(self.serving.invoke(event, 30)["statusCode"] == 200)


@pytest.fixture
def site(server: SiteServer) -> Iterator[Site]:
    with AWS() as aws:
        site = Site(aws, server)
        site.store(server.url(server.postgresql.port))
        with site.manage, site.serving:
            assert site.is_ready()
            yield site
        server.ask(f"ALTER ROLE {ROLE} PASSWORD '{server.password}'")


def log_in(url: str) -> None:
    psycopg.connect(url).close()


def test_the_role_has_the_new_password_and_no_request_fails(site: Site):
    former = site.stored()

    site.rotate()

    assert site.stored() != former
    log_in(site.stored())
    with pytest.raises(psycopg.OperationalError, match="authentication failed"):
        log_in(former)
    assert site.is_ready()
    # Only the password has changed.
    new = urlsplit(site.stored())
    assert new.password != urlsplit(former).password
    assert former == new._replace(netloc=urlsplit(former).netloc).geturl()


def test_neither_password_is_printed_or_logged(
    site: Site, capsys: pytest.CaptureFixture[str]
):
    passwords = [urlsplit(site.stored()).password]
    site.rotate()
    passwords.append(urlsplit(site.stored()).password)

    printed = capsys.readouterr()
    everything = printed.out + printed.err + str(site.commands)
    everything += site.manage.log_from(0).decode()
    everything += (site.server.postgresql.folder / "log").read_text()  # type: ignore[operator]
    assert [password for password in passwords if str(password) in everything] == []


def test_an_interrupted_rotation_is_completed_by_the_same_command(site: Site):
    for stop in count():
        before = site.stored()
        site.stop = stop
        try:
            site.rotate()
        except KeyboardInterrupt:
            site.stop = 1_000
        else:
            break

        site.rotate()

        assert site.stored() != before
        log_in(site.stored())
        assert site.is_ready()
    # Calls and commands of a whole rotation.
    assert stop == 7


def test_a_password_that_is_stored_already_is_set(
    site: Site, capsys: pytest.CaptureFixture[str]
):
    url = database_password.with_password(site.stored(), secrets.token_hex())
    site.store(url)

    site.rotate()

    assert site.stored() == url
    log_in(url)
    assert "an earlier call has stored a password" in capsys.readouterr().out


def test_a_login_that_was_lost_is_reported(site: Site):
    for _ in range(2):
        url = database_password.with_password(site.stored(), secrets.token_hex())
        site.store(url)

    with pytest.raises(DeployError, match="environments that start cannot log in"):
        site.rotate()

    log = site.manage.log_from(0).decode()
    assert "The database rejects the former login too" in log
    assert str(urlsplit(url).password) not in log


def test_another_user_is_not_changed_by_the_command(site: Site):
    site.store(site.stored().replace(f"//{ROLE}:", "//other:"))

    with pytest.raises(DeployError):
        site.rotate()

    log = site.manage.log_from(0).decode()
    assert "The two URLs differ in more than the password." in log


@pytest.mark.parametrize("url", ["postgres://site@host/site", "postgres://host/site"])
def test_a_url_without_password_is_refused(url: str):
    with pytest.raises(DeployError, match="no user with a password"):
        database_password.with_password(url, "new")


def test_another_variable_is_that_of_the_function_too():
    """The manage function finds the parameter by the variable."""
    url = "postgres://site:former@localhost/site"
    with AWS() as aws:
        stage = Aliases(OLD)
        stage.client = aws.client  # type: ignore[method-assign]
        stage.configuration["provider"] = {
            "region": REGION,
            "environment": {"DB_URL": f"ssm:{NAME}"},
        }
        aws.client("ssm").put_parameter(Name=NAME, Value=url, Type="SecureString")
        commands: list[list[str]] = []

        def run(argv: list[str]) -> int:
            commands.append(argv)
            return 0

        database_password.rotate(stage, run, "DB_URL")

    command = ["lambda_database_password", "--variable", "DB_URL"]
    assert commands == [command, [*command, "--former", "1"]]
