"""The nightly e-mail."""

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core import mail
from django.core.management import CommandError, call_command
from django.utils import timezone

from apps.aws_lambda import handlers
from apps.aws_lambda.events import UnsupportedEvent
from apps.aws_lambda.test import LambdaContext
from apps.documents.management.commands import send_digest
from apps.documents.models import Document
from tests.documents.conftest import make_user


def send(*args: str) -> str:
    output = StringIO()
    call_command("send_digest", *args, stdout=output)
    return output.getvalue().strip()


def test_those_who_approve_get_a_message_each(ann: Any, add: Any):
    add(ann, title="A & B", status="processed", size=2048)
    add(ann, title="Broken", status="failed")
    for name in ("chief", "deputy"):
        make_user(name, "approve_document", is_staff=True, email=f"{name}@example.com")
    make_user("former", "approve_document", email="former@example.com")
    make_user("reader", "view_document", is_staff=True, email="reader@example.com")

    assert send() == "Sent the digest to 2 users"

    assert [m.to for m in mail.outbox] == [
        ["chief@example.com"],
        ["deputy@example.com"],
    ]
    message = mail.outbox[0]
    assert message.subject == "Inbox: 2 received, 1 to approve"
    assert "A & B (Processed, 2.0\xa0KB), from ann" in message.body
    assert "1 could not be read" in message.body
    assert "Process again" not in message.body


@pytest.mark.django_db
def test_a_day_without_documents_sends_nothing():
    make_user("chief", is_superuser=True, is_staff=True, email="chief@example.com")

    assert send() == "Nothing to report: no message was sent"
    assert not mail.outbox


def test_older_documents_are_left_out(ann: Any, add: Any):
    add(ann, title="Old", status="processed")
    Document.objects.update(uploaded_at=timezone.now() - timedelta(hours=30))
    make_user("chief", is_superuser=True, is_staff=True, email="chief@example.com")

    send()

    assert mail.outbox[0].subject == "Inbox: 0 received, 1 to approve"
    assert "Old" not in mail.outbox[0].body


def test_documents_that_no_task_has_read_are_counted(ann: Any, add: Any):
    add(ann)
    Document.objects.update(uploaded_at=timezone.now() - timedelta(hours=30))
    make_user("chief", is_superuser=True, is_staff=True, email="chief@example.com")

    send()

    assert '1 has not been read for a day: choose "Process again"' in (
        mail.outbox[0].body
    )


def test_an_address_that_fails_does_not_keep_the_others_from_theirs(
    ann: Any, add: Any, monkeypatch: pytest.MonkeyPatch, caplog: Any
):
    add(ann)
    for name in ("chief", "deputy"):
        make_user(name, "approve_document", is_staff=True, email=f"{name}@example.com")
    broken = {"chief@example.com"}

    def send_mail(subject: str, text: str, sender: None, to: list[str]) -> None:
        if to[0] in broken:
            raise OSError("the address is not verified")
        deliver(subject, text, sender, to)

    deliver = mail.send_mail
    monkeypatch.setattr(send_digest, "send_mail", send_mail)

    assert send() == "Sent the digest to 1 users"
    assert [message.to for message in mail.outbox] == [["deputy@example.com"]]
    assert "Could not send the digest to a user" in caplog.text

    broken.add("deputy@example.com")
    with pytest.raises(CommandError, match="was sent to no user"):
        send()


@pytest.mark.django_db(transaction=True)
def test_the_schedule_function_sends_it(add: Any):
    add(make_user("ann"))
    make_user("chief", is_superuser=True, is_staff=True, email="chief@example.com")
    event = {"command": "send_digest", "args": []}

    assert handlers.schedule()(event, LambdaContext()) is None

    assert [message.to for message in mail.outbox] == [["chief@example.com"]]
    with pytest.raises(UnsupportedEvent, match="LAMBDA_SCHEDULED_COMMANDS"):
        handlers.schedule()(event | {"args": ["--hours=9"]}, LambdaContext())
