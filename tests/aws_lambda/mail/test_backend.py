"""SESBackend: what SES receives, and what a site learns of its errors."""

import logging
import smtplib
from threading import Event
from typing import Any

import django
import pytest
from django.core.mail import EmailMessage, EmailMultiAlternatives, send_mail
from django.http import HttpRequest, HttpResponse
from django.urls import path

from apps.aws_lambda import mail
from apps.aws_lambda.aws import service
from apps.aws_lambda.aws import ses as calls
from apps.aws_lambda.aws.limits import API_GATEWAY_TIMEOUT_SECONDS
from apps.aws_lambda.cli.ports import free_port
from apps.aws_lambda.mail import NotSent, SESBackend
from apps.aws_lambda.test import LambdaClient
from tests.aws_lambda.mail.conftest import ACCEPTED, SES, refusal
from tests.services.http_stub import Answer, Request

SENDER = "noreply@example.com"
CSV = "näme,price\n"


def message(**changed: Any) -> EmailMultiAlternatives:
    given = {
        "subject": "Hello",
        "body": "Text",
        "from_email": SENDER,
        "to": ["ann@example.com"],
    }
    return EmailMultiAlternatives(**{**given, **changed})


def send(*messages: EmailMessage, **options: Any) -> int:
    return SESBackend(**options).send_messages(messages)


# What SES receives


def test_ses_receives_every_part_in_ascii(ses: SES):
    sent = message(
        subject="Grüße 🎉",
        body="Zeile für Zeile\n" + "lang " * 500,
        from_email="Köln <noreply@example.com>",
        to=["Ann Müller <ann@example.com>"],
        reply_to=["help@example.com"],
        headers={"List-Unsubscribe": "<https://example.com/u>"},
    )
    sent.attach_alternative("<p>Grüße</p>", "text/html")
    sent.attach("prices.csv", CSV, "text/csv")
    sent.attach("ü.bin", bytes(range(256)), "application/octet-stream")

    assert send(sent) == 1

    [data] = ses.messages
    assert data.isascii()
    assert b"8bit" not in data
    assert max(map(len, data.split(b"\r\n"))) <= 998
    assert b"\n" not in data.replace(b"\r\n", b"")
    received = ses.message
    assert received["Subject"] == "Grüße 🎉"
    assert received["From"] == "Köln <noreply@example.com>"
    assert received["Reply-To"] == "help@example.com"
    assert received["List-Unsubscribe"] == "<https://example.com/u>"
    plain, html = (received.get_body((kind,)) for kind in ("plain", "html"))
    assert plain
    assert html
    assert plain.get_content().replace("\r\n", "\n").rstrip("\n") == sent.body
    assert html.get_content().strip() == "<p>Grüße</p>"
    csv, binary = received.iter_attachments()
    assert csv.get_content().replace("\r\n", "\n") == CSV
    assert binary.get_filename() == "ü.bin"
    assert binary.get_content() == bytes(range(256))


def test_a_message_can_be_attached_to_another(ses: SES):
    sent = message()
    sent.attach("first.eml", message(body="Früher").message(), "message/rfc822")

    assert send(sent) == 1

    [data] = ses.messages
    assert data.isascii()
    [attached] = ses.message.iter_attachments()
    assert attached.get_content().get_content().strip() == "Früher"


def test_recipients_are_in_the_destination_and_bcc_in_no_header(ses: SES):
    send(
        message(
            to=["Ann <ann@example.com>", "bob@example.com"],
            cc=["carl@example.com"],
            bcc=["dora@example.com"],
        )
    )

    [body] = ses.bodies
    assert body["Destination"] == {
        "ToAddresses": ["ann@example.com", "bob@example.com"],
        "CcAddresses": ["carl@example.com"],
        "BccAddresses": ["dora@example.com"],
    }
    # SES would replace the header From by it.
    assert "FromEmailAddress" not in body
    assert b"dora" not in ses.messages[0]


def test_a_header_bcc_is_removed(ses: SES, monkeypatch: pytest.MonkeyPatch):
    """Django 6.1 refuses it, and older ones write it."""

    class Own(EmailMessage):
        def message(self, **options: Any) -> Any:
            made = super().message(**options)
            made["Bcc"] = "dora@example.com"
            return made

    send(Own("Hello", "Text", SENDER, ["ann@example.com"]))

    assert "Bcc" not in ses.message


def test_a_class_may_have_recipients_of_its_own(ses: SES):
    class Own(EmailMessage):
        def recipients(self) -> list[str]:
            return [*super().recipients(), "list@example.com"]

    send(Own("Hello", "Text", SENDER, ["ann@example.com"]))

    assert ses.bodies[0]["Destination"] == {
        "ToAddresses": ["ann@example.com"],
        "BccAddresses": ["list@example.com"],
    }


def test_an_international_domain_is_encoded(ses: SES):
    send(message(to=["Jörg <joerg@bücher.example>"]))

    found = ses.bodies[0]["Destination"]["ToAddresses"]
    assert found == ["joerg@xn--bcher-kva.example"]


@pytest.mark.parametrize(
    "address", ["jörg@example.com", "joerg", "@example.com", "a@b\x07.example"]
)
def test_an_address_that_ses_does_not_accept_is_an_error(ses: SES, address: str):
    with pytest.raises(ValueError, match=r"[Ii]nvalid address|Address"):
        send(message(bcc=[address]), fail_silently=True)

    assert ses.bodies == []


@pytest.mark.parametrize("kind", ["to", "cc", "bcc"])
def test_more_than_50_recipients_take_several_calls(ses: SES, kind: str):
    everyone = [f"user{number}@example.com" for number in range(120)]

    assert send(message(**{"to": [], kind: everyone})) == 1

    [*batches] = [
        body["Destination"][f"{kind.capitalize()}Addresses"] for body in ses.bodies
    ]
    assert [len(batch) for batch in batches] == [50, 50, 20]
    assert [address for batch in batches for address in batch] == everyone
    assert len(set(ses.messages)) == 1


def test_the_recipients_that_have_a_message_are_counted_in_the_error(ses: SES):
    everyone = [f"user{number}@example.com" for number in range(120)]
    ses.answers = [(200, '{"MessageId": "1"}'), refusal("LimitExceededException")]

    with pytest.raises(NotSent, match="The first 50 of 120 recipients have it"):
        send(message(bcc=everyone[1:]))

    assert len(ses.bodies) == 2


def test_a_message_above_the_limit_is_refused_before_it_is_sent(
    ses: SES, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(mail, "MAX_SES_MESSAGE_BYTES", 1024**2)
    large = message()
    large.attach("large.bin", bytes(1024**2), "application/octet-stream")

    with pytest.raises(NotSent, match=r"it has 2 MB .* and SES accepts 1 MB. Send a "):
        send(large)

    assert ses.bodies == []


def test_a_message_of_some_megabytes_is_sent(ses: SES):
    large = message()
    large.attach("large.bin", bytes(8 * 1024**2), "application/octet-stream")

    assert send(large) == 1


def test_the_number_of_sent_messages_is_returned(ses: SES):
    assert send(message(), message(to=[]), message()) == 2
    assert send() == 0
    assert len(ses.bodies) == 2


# Retries


@pytest.mark.parametrize("code", ["TooManyRequestsException", "ThrottlingException"])
def test_a_throttled_message_is_sent_again(ses: SES, code: str):
    ses.answers = [refusal(code, status=429), refusal(code, status=429)]

    assert send(message()) == 1

    assert len(ses.bodies) == 3


@pytest.mark.parametrize("status", [500, 503])
def test_a_message_that_ses_failed_to_accept_is_sent_again(ses: SES, status: int):
    ses.answers = [(status, "")]

    assert send(message()) == 1

    assert len(ses.bodies) == 2


@pytest.mark.parametrize("answer", [None, (504, ""), (502, "")])
def test_a_message_without_a_response_is_not_sent_twice(
    ses: SES, monkeypatch: pytest.MonkeyPatch, answer: Any
):
    monkeypatch.setattr(calls, "CALL_TIMEOUT_SECONDS", 0.5)
    ses.answers = [answer]

    with pytest.raises(NotSent, match="may not have been sent, and is not sent again"):
        send(message())

    assert len(ses.bodies) == 1


def test_a_slow_response_to_a_large_message_is_awaited(
    ses: SES, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(service, "SOCKET_TIMEOUT_SECONDS", 0.2)

    def slow(request: Request) -> Answer:
        Event().wait(0.6)
        return ACCEPTED

    ses.stub.answer = slow

    assert send(message()) == 1

    assert len(ses.bodies) == 1


def test_without_a_connection_the_next_step_is_in_the_error(
    ses: SES, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")

    with pytest.raises(NotSent) as raised:
        send(message())

    text = str(raised.value)
    assert "was not sent: 127.0.0.1:" in text
    assert "(attempts: 5)" in text
    assert "the endpoint com.amazonaws.eu-central-1.email: docs/" in text


def test_a_call_ends_before_every_gateway_does():
    assert calls.CALL_TIMEOUT_SECONDS < API_GATEWAY_TIMEOUT_SECONDS / 2


# Errors

UNVERIFIED = (
    "Email address is not verified. The following identities failed the check in "
    "region EU-CENTRAL-1: "
)


@pytest.mark.parametrize(
    ("code", "detail", "sentence"),
    [
        ("MessageRejected", UNVERIFIED + SENDER, "neither the address nor its domain"),
        ("MessageRejected", UNVERIFIED + "ann@example.com", "in SES's sandbox"),
        ("MessageRejected", "Content", "its content was rejected"),
        ("AccessDeniedException", "", "Set the parameter mailFrom to this address"),
        ("AccessDenied", "", "Set the parameter mailFrom to this address"),
        ("LimitExceededException", "", "more than its quota allows"),
        ("SendingPausedException", "", "sending is paused"),
        ("AccountSuspendedException", "", "sending is paused"),
        ("MailFromDomainNotVerifiedException", "", "Correct its MX record"),
        ("BadRequestException", "", "SES cannot read an address or a header"),
        ("NotFoundException", "", "configuration set does not exist"),
        ("SomethingNew", "", "Look the code up"),
    ],
)
def test_a_refusal_is_a_sentence_with_the_code_and_the_fix(
    ses: SES, code: str, detail: str, sentence: str
):
    ses.answers = [refusal(code, detail)]

    with pytest.raises(NotSent) as raised:
        send(message(to=["ann@example.com"]))

    text = str(raised.value)
    assert text.startswith(
        f"SES in eu-central-1 did not accept the e-mail from {SENDER}: AWS returned "
        f"{code}"
    )
    assert sentence in text
    assert text.endswith(": docs/operate.md#e-mail")
    # No personal data in the log.
    assert "ann@" not in text
    assert raised.value.code == code
    assert len(ses.bodies) == 1


def test_a_throttled_account_is_reported_after_the_retries(ses: SES):
    ses.answers = [refusal("TooManyRequestsException", status=429)] * 5

    with pytest.raises(NotSent, match=r"\(attempts: 5\), because the account sends"):
        send(message())

    assert len(ses.bodies) == 5


def test_a_site_catches_the_errors_that_it_catches_for_smtp(ses: SES):
    ses.answers = [refusal("MessageRejected")]

    with pytest.raises(smtplib.SMTPException):
        send(message())


def test_fail_silently_logs_the_error_and_sends_the_next_message(
    ses: SES, caplog: pytest.LogCaptureFixture
):
    ses.answers = [refusal("MessageRejected")]

    assert send(message(), message(), fail_silently=True) == 1

    [record] = [r for r in caplog.records if r.levelno > logging.INFO]
    assert "did not accept the e-mail" in record.getMessage()
    assert record.levelno == logging.WARNING


def test_fail_silently_does_not_wait_for_each_message(
    ses: SES, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(calls, "CALL_TIMEOUT_SECONDS", 0.5)
    ses.answers = [None]

    assert send(message(), message(), message(), fail_silently=True) == 0

    assert len(ses.bodies) == 1


# In a site


def contact(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"sent {send(message())}")


urlpatterns = [path("contact", contact)]


@pytest.mark.urls(__name__)
def test_a_client_does_not_see_the_error(ses: SES, settings: Any):
    settings.DEBUG = False
    settings.ADMINS = []
    ses.answers = [refusal("MessageRejected", UNVERIFIED + SENDER)]
    client = LambdaClient(raise_request_exception=False)

    response = client.get("/contact")

    assert response.status_code == 500
    assert b"SES" not in response.content
    assert b"MessageRejected" not in response.content
    assert client.get("/contact").content == b"sent 1"


def test_django_sends_with_it(ses: SES, settings: Any):
    if django.VERSION >= (6, 1):
        settings.MAILERS = {"default": {"BACKEND": "apps.aws_lambda.mail.SESBackend"}}
    else:
        settings.EMAIL_BACKEND = "apps.aws_lambda.mail.SESBackend"
    settings.DEFAULT_FROM_EMAIL = SENDER

    assert send_mail("Hello", "Text", None, ["ann@example.com"]) == 1
    assert message(from_email=None).send() == 1

    assert len(ses.bodies) == 2
