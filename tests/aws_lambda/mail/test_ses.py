"""SESBackend against another's SES, and its request beside that of boto3."""

import json
import subprocess
import sys
from collections.abc import Iterator
from email import message_from_string
from typing import Any
from urllib.request import urlopen

import boto3
import pytest
from django.core.mail import EmailMessage

from apps.aws_lambda.aws import service
from apps.aws_lambda.aws.http import Response
from apps.aws_lambda.mail import NotSent, SESBackend
from tests.aws_lambda.mail.conftest import SES
from tests.services.aws import AWS, REGION

SENDER = "noreply@example.com"


@pytest.fixture(scope="module")
def server() -> Iterator[AWS]:
    with AWS() as running:
        yield running


@pytest.fixture
def aws(server: AWS, monkeypatch: pytest.MonkeyPatch) -> Iterator[AWS]:
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    yield server
    server.reset()


def kept(aws: AWS) -> list[dict[str, Any]]:
    """Return the raw messages that the local SES has accepted."""
    with urlopen(f"{aws.url}/moto-api/data.json") as response:
        found: list[dict[str, Any]] = json.load(response)["ses"]["RawMessage"]
    return found


def send(**changed: Any) -> int:
    given: dict[str, Any] = {
        "subject": "Hello",
        "body": "Zeile für Zeile",
        "from_email": f"Shop <{SENDER}>",
        "to": ["ann@example.com"],
    }
    return SESBackend().send_messages([EmailMessage(**{**given, **changed})])


@pytest.mark.parametrize("identity", [SENDER, "example.com"])
def test_a_message_of_a_verified_identity_arrives(aws: AWS, identity: str):
    aws.client("sesv2").create_email_identity(EmailIdentity=identity)

    assert send(bcc=["dora@example.com"], attachments=[("a.txt", "Ä", "text/plain")])

    [message] = kept(aws)
    assert message["source"] == SENDER
    assert {"ann@example.com", "dora@example.com"} == {*message["destinations"]}
    received: Any = message_from_string(message["raw_data"])
    assert received["From"] == f"Shop <{SENDER}>"
    assert received["To"] == "ann@example.com"
    assert received["Bcc"] is None
    parts = [part.get_payload(decode=True) for part in received.get_payload()]
    assert [part.decode().rstrip() for part in parts] == ["Zeile für Zeile", "Ä"]


def test_a_message_of_another_identity_is_rejected(aws: AWS):
    aws.client("sesv2").create_email_identity(EmailIdentity="other.example")

    with pytest.raises(NotSent, match=f"from {SENDER}: AWS returned MessageRejected"):
        send()

    assert kept(aws) == []


def test_ses_is_called_in_the_functions_region(
    ses: SES, monkeypatch: pytest.MonkeyPatch
):
    urls = []

    def record(method: str, url: str, *args: Any, **timeouts: Any) -> Response:
        urls.append(url)
        return Response(200, {}, b'{"MessageId": "1"}')

    monkeypatch.setattr(service, "send", record)
    monkeypatch.delenv("AWS_ENDPOINT_URL")

    assert send()

    assert urls == ["https://email.eu-central-1.amazonaws.com/v2/email/outbound-emails"]


def test_the_request_is_that_of_boto3(ses: SES):
    send(cc=["carl@example.com"])
    [data] = ses.messages
    client = boto3.client(
        "sesv2",
        region_name=REGION,
        endpoint_url=ses.stub.url,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )

    client.send_email(
        Content={"Raw": {"Data": data}},
        Destination={
            "ToAddresses": ["ann@example.com"],
            "CcAddresses": ["carl@example.com"],
        },
    )

    ours, theirs = ses.stub.requests
    assert (ours.method, ours.path) == (theirs.method, theirs.path)
    assert json.loads(ours.body) == json.loads(theirs.body)
    # "AWS4-HMAC-SHA256 Credential=testing/20260101/eu-central-1/ses/aws4_request"
    scopes = [
        request.headers["authorization"].partition(",")[0].split("/")[2:]
        for request in (ours, theirs)
    ]
    assert scopes[0] == scopes[1]


def test_nothing_of_it_is_imported_before_a_message_is_sent():
    script = (
        "import lambda_entry, sys; print([name for name in sys.modules "
        "if name in ('apps.aws_lambda.mail', 'apps.aws_lambda.aws.ses', 'smtplib')])"
    )
    environ = {"ENV_FILE": "/dev/null", "MAIL_FROM": SENDER}

    output = subprocess.check_output([sys.executable, "-c", script], env=environ)

    assert output.decode().splitlines()[-1] == "[]"
