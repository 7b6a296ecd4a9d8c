"""Credentials of a function, which a URL serves under SnapStart."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from apps.aws_lambda.aws import identity
from apps.aws_lambda.aws.http import AwsError
from tests.services.http_stub import HttpStub


class Container(HttpStub):
    """Serve new credentials to each request; they expire after some minutes."""

    minutes: float | None = 60.0

    def __init__(self) -> None:
        super().__init__(lambda request: (200, self.document()))
        identity._fetched.clear()

    def document(self) -> str:
        keys = {"AccessKeyId": f"AKIA{len(self.requests)}", "SecretAccessKey": "s"}
        document = {**keys, "Token": "t"}
        if self.minutes is not None:
            at = datetime.now(UTC) + timedelta(minutes=self.minutes)
            document["Expiration"] = at.strftime("%Y-%m-%dT%H:%M:%SZ")
        return json.dumps(document)

    def key(self, authorization: str = "t") -> str:
        environ = {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{self.url}/credentials",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": authorization,
        }
        return identity.credentials(environ).access_key


@pytest.fixture
def container() -> Iterator[Container]:
    with Container() as container:
        yield container


def test_credentials_are_kept(container: Container):
    assert [container.key() for _ in range(3)] == ["AKIA1"] * 3


@pytest.mark.parametrize("minutes", [5, 0, -60, None])
def test_credentials_that_soon_expire_are_not_kept(
    container: Container, minutes: float | None
):
    container.minutes = minutes

    assert [container.key(), container.key()] == ["AKIA1", "AKIA2"]


def test_another_token_gets_credentials_of_its_own(container: Container):
    assert [container.key("a"), container.key("b")] == ["AKIA1", "AKIA2"]


def test_credentials_of_the_environment_are_not_asked_for(container: Container):
    environ = {
        "AWS_ACCESS_KEY_ID": "AKIA",
        "AWS_SECRET_ACCESS_KEY": "s",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": container.url,
    }

    assert identity.credentials(environ) == ("AKIA", "s", "")
    assert container.requests == []


def test_without_credentials_the_error_says_so():
    with pytest.raises(AwsError, match="the environment has no AWS credentials"):
        identity.credentials({})
