"""What the doctor reads from the answers of SES."""

from typing import Any

import pytest

from apps.aws_lambda.cli.doctor import mail
from apps.aws_lambda.cli.doctor.line import OK, PROBLEM, Line
from apps.aws_lambda.cli.release.errors import NotFound
from apps.aws_lambda.cli.release.stage import Stage
from tests.cli.doctor.conftest import ABSENT, SENDER, AnsweringStage
from tests.services.aws import AWS


def look(stage: AnsweringStage) -> Line:
    return mail.email(stage, stage.deployed())


def identities(**states: str) -> Any:
    def answer(**parameters: str) -> dict[str, str]:
        kind = "address" if "@" in parameters["EmailIdentity"] else "domain"
        if kind not in states:
            raise ABSENT
        return {"VerificationStatus": states[kind]}

    return answer


@pytest.mark.parametrize(
    ("states", "verified"),
    [
        ({"address": "SUCCESS"}, SENDER),
        ({"domain": "SUCCESS"}, "example.com"),
        ({"address": "PENDING", "domain": "SUCCESS"}, "example.com"),
    ],
)
def test_a_verified_address_or_domain_is_ok(
    stage: AnsweringStage, states: dict[str, str], verified: str
):
    stage.answers["get_email_identity"] = identities(**states)

    line = look(stage)

    assert line == Line(
        "e-mail", OK, f"{verified} is verified, and SES sends to anyone"
    )


@pytest.mark.parametrize(
    ("states", "text"),
    [
        ({}, f"neither {SENDER} nor example.com is an identity"),
        ({"domain": "PENDING"}, "example.com is PENDING"),
        ({"address": "FAILED"}, f"{SENDER} is FAILED"),
    ],
)
def test_a_sender_that_is_not_verified_is_a_problem(
    stage: AnsweringStage, states: dict[str, str], text: str
):
    stage.answers["get_email_identity"] = identities(**states)

    line = look(stage)

    assert line.state == PROBLEM
    assert line.text == f"SES in eu-central-1 sends nothing from {SENDER}: {text}"
    assert line.next_step == "verify one of them: docs/operate.md#e-mail"


@pytest.mark.parametrize(
    ("production", "sending", "text"),
    [
        (False, True, "the account is in SES's sandbox in eu-central-1"),
        (True, False, "SES has paused sending for the account in eu-central-1"),
    ],
)
def test_an_account_that_does_not_send_to_anyone_is_a_problem(
    stage: AnsweringStage, production: bool, sending: bool, text: str
):
    stage.answers["get_account"] = {
        "ProductionAccessEnabled": production,
        "SendingEnabled": sending,
    }

    line = look(stage)

    assert line.state == PROBLEM
    assert line.text.startswith(text)
    assert line.next_step


def test_a_stage_without_e_mail_is_ok(stage: AnsweringStage):
    stage.variables["http"]["MAIL_FROM"] = ""

    assert look(stage).state == OK
    assert "get_email_identity" not in dict(stage.asked)


def test_an_absent_identity_is_recognised_by_its_code(monkeypatch: pytest.MonkeyPatch):
    with AWS() as aws:
        monkeypatch.setattr(Stage, "client", lambda self, service: aws.client(service))
        real = object.__new__(Stage)
        aws.client("sesv2").create_email_identity(EmailIdentity="example.com")

        assert mail.state(real, "example.com") == "SUCCESS"
        assert mail.state(real, SENDER) == ""
        with pytest.raises(NotFound):
            real.call("sesv2", "get_email_identity", EmailIdentity=SENDER)
