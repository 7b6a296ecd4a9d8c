"""A stub of SES, and what it has received."""

import json
from base64 import b64decode
from collections.abc import Iterator
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

import pytest

from tests.services.http_stub import Answer, HttpStub, Request

ACCEPTED = (200, '{"MessageId": "0102018f-1"}')


class SES:
    """
    A stub of SES. ``answers`` are used up in order; without one it accepts.

    An answer is what a test of SES's own errors needs: moto neither throttles nor
    loses responses.
    """

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.stub = HttpStub(self.answer)

    def answer(self, request: Request) -> Answer:
        return self.answers.pop(0) if self.answers else ACCEPTED

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(request.body) for request in self.stub.requests]

    @property
    def messages(self) -> list[bytes]:
        """Return the MIME message of each call."""
        return [b64decode(body["Content"]["Raw"]["Data"]) for body in self.bodies]

    @property
    def message(self) -> EmailMessage:
        """Return the message of the only call."""
        [data] = self.messages
        parsed = message_from_bytes(data, policy=default)
        assert isinstance(parsed, EmailMessage)
        return parsed


def refusal(code: str, message: str = "", status: int = 400) -> Answer:
    """Return an error as the API of SES returns it."""
    header = {"x-amzn-ErrorType": f"{code}:http://internal.amazon.com/coral/"}
    return status, json.dumps({"message": message}), header


@pytest.fixture
def ses(monkeypatch: pytest.MonkeyPatch) -> Iterator[SES]:
    found = SES()
    monkeypatch.setenv("AWS_ENDPOINT_URL", found.stub.url)
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with found.stub:
        yield found
