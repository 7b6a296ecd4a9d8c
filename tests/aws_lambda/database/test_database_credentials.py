"""Rotated passwords and expiring tokens, on a real PostgreSQL."""

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from unittest import mock
from urllib.parse import parse_qsl, urlsplit

import botocore.session
import psycopg
import pytest
from django.db import OperationalError
from django.db.utils import ConnectionHandler
from environ import Env

from apps.aws_lambda import parameters
from apps.aws_lambda.aws import service
from apps.aws_lambda.aws.http import AwsError, send
from apps.aws_lambda.database.postgresql import base
from apps.aws_lambda.database.postgresql.iam import TokenCache
from apps.aws_lambda.parameters import references
from tests.services.aws import AWS
from tests.services.postgresql import PostgreSQL

ENGINE = "apps.aws_lambda.database.postgresql"


@pytest.fixture(scope="module")
def server() -> Iterator[AWS]:
    with AWS() as running:
        yield running


@pytest.fixture
def aws(server: AWS, monkeypatch: pytest.MonkeyPatch) -> Iterator[AWS]:
    """Point this process, which has resolved nothing yet, to the local AWS."""
    monkeypatch.setattr(references, "_resolved", references._Resolved())
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    yield server
    server.reset()


@pytest.fixture
def store(aws: AWS) -> Callable[[str, str], None]:
    """Return a function that stores a parameter."""
    client = aws.client("ssm")

    def put(name: str, value: str) -> None:
        client.put_parameter(Name=name, Value=value, Type="String", Overwrite=True)

    return put


@pytest.fixture
def alter(postgresql: PostgreSQL) -> Iterator[Callable[[str], object]]:
    """Create a role "app", and return a function that sets its password."""
    with psycopg.connect(postgresql.url(), autocommit=True) as connection:
        connection.execute("CREATE ROLE app LOGIN")
        yield lambda password: connection.execute(
            psycopg.sql.SQL("ALTER ROLE app PASSWORD {}").format(password)
        )
        connection.execute("DROP ROLE app")


@pytest.fixture
def tries(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Return the parameters of each connection attempt."""
    tried: list[dict[str, Any]] = []
    connect = psycopg.connect

    def record(**params: Any) -> Any:
        tried.append(params)
        return connect(**params)

    monkeypatch.setattr(psycopg, "connect", record)
    return tried


@pytest.fixture
def fetches(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the operations of the calls to AWS."""
    asked: list[str] = []

    def record(method, url, headers, *args, **kwargs):
        asked.append(headers["x-amz-target"])
        return send(method, url, headers, *args, **kwargs)

    monkeypatch.setattr(service, "send", record)
    return asked


def database(url: str, **options: Any) -> ConnectionHandler:
    settings = {**Env.db_url_config(url), "ENGINE": ENGINE, "OPTIONS": options}
    return ConnectionHandler({"default": settings})


def user_of(connections: ConnectionHandler) -> str:
    """Connect, and return the name of the current user."""
    connection = connections["default"]
    connection.close()
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        name: str = cursor.fetchone()[0]
    connection.close()
    return name


def url(postgresql: PostgreSQL, password: str) -> str:
    return f"postgres://app:{password}@127.0.0.1:{postgresql.port}/postgres"


@pytest.fixture(autouse=True)
def _connections_are_allowed(django_db_blocker: Any) -> Iterator[None]:
    with django_db_blocker.unblock():
        yield


def test_a_rotated_password_is_fetched_once(
    postgresql, store, alter, monkeypatch, tries, fetches
):
    monkeypatch.setenv("DATABASE_URL", "ssm:/site/database-url")
    store("/site/database-url", url(postgresql, "old"))
    alter("old")
    parameters.resolve(os.environ)
    connections = database(os.environ["DATABASE_URL"])
    assert user_of(connections) == "app"
    assert len(fetches) == 1

    store("/site/database-url", url(postgresql, "new%2F"))
    alter("new/")

    assert user_of(connections) == "app"
    assert len(fetches) == 2
    assert [params["password"] for params in tries] == ["old", "old", "new/"]

    assert user_of(connections) == "app"
    assert len(fetches) == 2
    assert [params["password"] for params in tries[3:]] == ["new/"]


def test_user_and_password_in_libpqs_variables_are_fetched_again(
    postgresql, aws, alter, monkeypatch, tries
):
    secrets = aws.client("secretsmanager")
    secrets.create_secret(Name="rds", SecretString='{"user": "app", "password": "old"}')
    monkeypatch.setenv("PGUSER", "secretsmanager:rds:user")
    monkeypatch.setenv("PGPASSWORD", "secretsmanager:rds:password")
    alter("old")
    parameters.resolve(os.environ)
    connections = database(f"postgres://127.0.0.1:{postgresql.port}/postgres")
    assert user_of(connections) == "app"

    secrets.put_secret_value(
        SecretId="rds", SecretString='{"user": "app", "password": "new"}'
    )
    alter("new")

    assert user_of(connections) == "app"
    assert len(tries) == 3


def test_a_changed_but_wrong_credential_is_tried_once(
    postgresql, store, alter, monkeypatch, tries, fetches
):
    monkeypatch.setenv("DATABASE_URL", "ssm:/site/database-url")
    store("/site/database-url", url(postgresql, "old"))
    parameters.resolve(os.environ)
    connections = database(os.environ["DATABASE_URL"])
    store("/site/database-url", url(postgresql, "new"))
    alter("another")

    with pytest.raises(OperationalError, match="authentication failed"):
        user_of(connections)

    assert [params["password"] for params in tries] == ["old", "new"]
    assert len(fetches) == 2


def test_an_unchanged_credential_is_not_tried_again(
    postgresql, store, alter, monkeypatch, tries, fetches
):
    monkeypatch.setenv("DATABASE_URL", "ssm:/site/database-url")
    store("/site/database-url", url(postgresql, "old"))
    alter("another")
    parameters.resolve(os.environ)

    with pytest.raises(OperationalError, match="authentication failed"):
        user_of(database(os.environ["DATABASE_URL"]))

    assert len(tries) == 1
    assert len(fetches) == 2


def test_a_failed_fetch_is_logged_and_the_login_error_raised(
    postgresql, aws, store, alter, monkeypatch, tries, caplog
):
    monkeypatch.setenv("DATABASE_URL", "ssm:/site/database-url")
    store("/site/database-url", url(postgresql, "old"))
    alter("another")
    parameters.resolve(os.environ)
    aws.client("ssm").delete_parameter(Name="/site/database-url")

    with pytest.raises(OperationalError, match="authentication failed"):
        user_of(database(os.environ["DATABASE_URL"]))

    assert len(tries) == 1
    assert caplog.messages == [
        "The database rejected the login, and the credential could not be fetched "
        "again. No value for DATABASE_URL: there is no such parameter."
    ]


def test_the_credential_of_another_server_is_not_fetched(
    postgresql, store, alter, monkeypatch, tries, fetches
):
    monkeypatch.setenv("REPLICA_URL", "ssm:/site/replica-url")
    store("/site/replica-url", f"postgres://app:new@127.0.0.1:{postgresql.port + 1}/d")
    parameters.resolve(os.environ)
    alter("new")

    with pytest.raises(OperationalError, match="authentication failed"):
        user_of(database(url(postgresql, "old")))

    assert len(tries) == 1
    assert len(fetches) == 1


@pytest.mark.parametrize(
    ("old", "name"),
    [
        ("postgres://app:old@db.example.com:5432/site", "moved"),
        # Any user: the login may have been fetched again since.
        ("postgres://other:other@db.example.com:5432/site", "moved"),
        ("postgres://app:old@db.example.com:5432/other", "site"),
        ("postgres://app:old@db.example.com:6432/site", "site"),
        ("postgres://app:old@replica.example.com:5432/site", "site"),
        ("https://db.example.com:5432/site", "site"),
        ("secret", "site"),
    ],
)
def test_a_database_follows_only_its_own_url(old, name):
    connections = database("postgres://app:old@db.example.com:5432/site")
    connection: Any = connections["default"]

    connection.follow_url({old: "postgres://app:new@new.example.com:5433/moved"})

    assert connection.settings_dict["NAME"] == name


def test_an_error_other_than_a_failed_login_fetches_nothing(
    postgresql, store, alter, monkeypatch, tries, fetches
):
    wrong = url(postgresql, "old").replace("/postgres", "/nowhere")
    monkeypatch.setenv("DATABASE_URL", "ssm:/site/database-url")
    store("/site/database-url", wrong)
    alter("old")
    parameters.resolve(os.environ)

    with pytest.raises(OperationalError, match="does not exist"):
        user_of(database(os.environ["DATABASE_URL"]))

    assert len(tries) == 1
    assert len(fetches) == 1


# RDS IAM authentication. The role's password is set to the expected token.

ROLE = {
    "AWS_REGION": "eu-central-1",
    "AWS_ACCESS_KEY_ID": "ASIAEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_SESSION_TOKEN": "t" * 900,
}
START = 1_795_000_000.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Return the clock of the backend's tokens, which the test advances."""
    clock = SimpleNamespace(now=START)
    monkeypatch.setattr(base, "tokens", TokenCache(ROLE, lambda: clock.now))
    return clock


def token_at(postgresql: PostgreSQL, now: float) -> str:
    return TokenCache(ROLE, lambda: now).get("127.0.0.1", str(postgresql.port), "app")


def iam_database(postgresql: PostgreSQL) -> ConnectionHandler:
    return database(
        f"postgres://app@127.0.0.1:{postgresql.port}/postgres", aws_iam_auth=True
    )


def test_a_token_is_signed_when_connecting_and_again_after_ten_minutes(
    postgresql, alter, clock, tries
):
    connections = iam_database(postgresql)
    first = token_at(postgresql, START)
    alter(first)

    assert user_of(connections) == "app"
    clock.now += 599
    assert user_of(connections) == "app"
    assert [params["password"] for params in tries] == [first, first]

    clock.now += 1
    second = token_at(postgresql, clock.now)
    alter(second)
    assert user_of(connections) == "app"
    assert [params["password"] for params in tries[2:]] == [second]
    assert first != second


def test_a_rejected_token_is_replaced_once(postgresql, alter, clock, tries):
    connections = iam_database(postgresql)
    alter(token_at(postgresql, START))
    user_of(connections)
    clock.now += 60
    alter(token_at(postgresql, clock.now))

    assert user_of(connections) == "app"
    assert len(tries) == 3

    alter("never")
    with pytest.raises(OperationalError, match="authentication failed"):
        user_of(connections)
    assert len(tries) == 5


def test_a_token_equals_botocores():
    client = botocore.session.Session().create_client(
        "rds",
        region_name=ROLE["AWS_REGION"],
        aws_access_key_id=ROLE["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=ROLE["AWS_SECRET_ACCESS_KEY"],
        aws_session_token=ROLE["AWS_SESSION_TOKEN"],
    )
    with mock.patch("botocore.auth.get_current_datetime") as now:
        now.return_value = datetime.fromtimestamp(START, UTC)
        theirs = client.generate_db_auth_token("db.example.com", 5432, "app")

    ours = TokenCache(ROLE, lambda: START).get("db.example.com", "5432", "app")

    assert read_token(ours) == read_token(theirs)


def read_token(token: str) -> tuple[str, dict[str, str]]:
    url = urlsplit(f"https://{token}")
    return url.netloc + url.path, dict(parse_qsl(url.query, strict_parsing=True))


def test_a_clock_that_is_set_back_invalidates_a_token():
    clock = SimpleNamespace(now=START)
    tokens = TokenCache(ROLE, lambda: clock.now)
    first = tokens.get("db.example.com", "5432", "app")

    clock.now -= 1

    assert tokens.get("db.example.com", "5432", "app") != first


def test_each_user_and_server_has_its_own_token():
    tokens = TokenCache(ROLE, lambda: START)
    logins = [("a", "5432", "app"), ("b", "5432", "app"), ("a", "1", "app")]
    logins.append(("a", "5432", "other"))

    assert len({tokens.get(*login) for login in logins}) == 4
    assert tokens.get("a", "5432", "app").startswith(
        "a:5432/?Action=connect&DBUser=app"
    )


def test_a_token_needs_a_region():
    with pytest.raises(AwsError, match="AWS_REGION is not set"):
        TokenCache({"AWS_ACCESS_KEY_ID": "a"}).get("db.example.com", "5432", "app")
