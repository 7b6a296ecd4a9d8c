"""
Send e-mail with SES.

SESBackend is what EMAIL_BACKEND or MAILERS names. It is imported when the first
message is sent. Messages go to SES as MIME, as Django makes them.
"""

import logging
import os
from collections.abc import Iterator, Sequence
from email import encoders
from email.generator import BytesGenerator
from email.utils import parseaddr
from io import BytesIO
from itertools import batched
from smtplib import SMTPException
from typing import Any

from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend

from .aws import ses
from .aws.http import AwsError, Unanswered
from .aws.limits import MAX_SES_MESSAGE_BYTES, MAX_SES_RECIPIENTS
from .aws.service import THROTTLING_CODES

logger = logging.getLogger(__name__)

HELP = "docs/operate.md#e-mail"
# How SES describes that an identity is not verified.
# https://docs.aws.amazon.com/ses/latest/dg/troubleshoot-error-messages.html
NOT_VERIFIED = "not verified"

DENIED = (
    "the function may not send from this address, or in SES's sandbox not to a "
    "recipient",
    "Set the parameter mailFrom to this address, and deploy",
)
QUOTA = (
    "the account sends more than its quota allows, per second or in 24 hours",
    "Send from background tasks, and request a higher quota",
)
SUSPENDED = (
    "sending is paused for the account or the identity",
    "Read the reason in SES's console, below Reputation metrics",
)
SENDER = (
    "neither the address nor its domain is a verified identity in this region",
    "Verify one of them",
)
SANDBOX = (
    "a recipient is not verified, and the account is in SES's sandbox",
    "Request production access, or verify the recipient for a test",
)
# What is wrong, and what to do, by the code of the error.
REASONS = {
    "AccessDeniedException": DENIED,
    "AccessDenied": DENIED,
    "AccountSuspendedException": SUSPENDED,
    "BadRequestException": (
        "SES cannot read an address or a header",
        "Correct the addresses and headers of the message",
    ),
    "LimitExceededException": QUOTA,
    "MailFromDomainNotVerifiedException": (
        "the custom MAIL FROM domain of the identity is not set up",
        "Correct its MX record, or remove the domain from the identity",
    ),
    "MessageRejected": (
        "its content was rejected, such as a virus or a type of attachment",
        "Change the attachments",
    ),
    "NotFoundException": (
        "the identity's default configuration set does not exist",
        "Create it, or remove it from the identity",
    ),
    "SendingPausedException": SUSPENDED,
    **dict.fromkeys(THROTTLING_CODES, QUOTA),
}


class NotSent(SMTPException):
    """
    SES has not accepted a message, or may not have.

    An SMTPException, so that a site treats it as it treats those of an SMTP server.
    ``code`` is SES's error code, or empty without one. The text is for the log: it
    names the sender, and no recipient.
    """

    def __init__(self, text: str, code: str = "") -> None:
        super().__init__(text)
        self.code = code


class SESBackend(BaseEmailBackend):
    """Send each message with a call to SES, or several for more than 50 recipients."""

    def __init__(self, fail_silently: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.fail_silently = fail_silently

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """
        Return how many messages SES has accepted.

        Raises NotSent, and ValueError for an address or a header that is invalid. With
        ``fail_silently`` NotSent is logged instead, and the next message is sent.
        """
        accepted = 0
        for message in email_messages:
            try:
                accepted += send(message)
            except NotSent as error:
                if not self.fail_silently:
                    raise
                # Not an error: its handler may send mail itself.
                logger.warning("%s", error)
                if not error.code:
                    # SES is unreachable: each further message would time out as well.
                    break
        return accepted


def send(message: EmailMessage) -> bool:
    """Send a message to all of its recipients. Return False if it has none."""
    recipients = list(addresses(message))
    if not recipients:
        return False
    mime = message.message()
    # Older versions of Django write it, if it is one of the message's own headers.
    del mime["Bcc"]
    sender = ascii_address(str(mime["From"]))
    data = as_bytes(mime)
    if len(data) > MAX_SES_MESSAGE_BYTES:
        raise NotSent(
            f"The e-mail from {sender} was not sent: it has {megabytes(len(data))} MB "
            f"with its attachments, encoded, and SES accepts "
            f"{megabytes(MAX_SES_MESSAGE_BYTES)} MB. Send a link to the files instead.",
            # As SES would.
            "BadRequestException",
        )
    done = 0
    for batch in batched(recipients, MAX_SES_RECIPIENTS):
        destination: dict[str, list[str]] = {}
        for kind, address in batch:
            destination.setdefault(kind, []).append(address)
        try:
            identity = ses.send_email(data, destination)
        except AwsError as error:
            text = explain(error, sender)
            if done:
                text += f". The first {done} of {len(recipients)} recipients have it."
            raise NotSent(text, error.code) from None
        done += len(batch)
        logger.info("SES accepted the e-mail %s, recipients: %d", identity, len(batch))
    return True


def addresses(message: EmailMessage) -> Iterator[tuple[str, str]]:
    """Yield each recipient as "To", "Cc" or "Bcc" and an address."""
    fields = {"To": [*message.to], "Cc": [*message.cc]}
    # A class of the site's own may have others.
    for recipient in message.recipients():
        kind = next((k for k, listed in fields.items() if recipient in listed), "Bcc")
        yield kind, ascii_address(str(recipient))


def ascii_address(text: str) -> str:
    """
    Return the address in "Name <address>", with the domain in ASCII.

    Raises ValueError for what SES does not accept, such as other letters before the @.
    """
    _, address = parseaddr(text)
    local, _, domain = address.rpartition("@")
    try:
        encoded = domain.encode("idna").decode()
    except UnicodeError:
        encoded = ""
    if not (encoded and local and local.isascii() and address.isprintable()):
        raise ValueError(
            f"Invalid address {text!r}: SES accepts ASCII letters before the @, and a "
            "domain behind it."
        )
    return f"{local}@{encoded}"


def as_bytes(mime: Any) -> bytes:
    """Return a message in lines of ASCII: SES does not support 8-bit parts."""
    for part in mime.walk():
        if part["Content-Transfer-Encoding"] != "8bit":
            continue
        if part.is_multipart():
            # An attached message, whose parts are next.
            part.replace_header("Content-Transfer-Encoding", "7bit")
        else:
            del part["Content-Transfer-Encoding"]
            encoders.encode_quopri(part)
    written = BytesIO()
    policy = mime.policy.clone(linesep="\r\n")
    BytesGenerator(written, mangle_from_=False, policy=policy).flatten(mime)
    return written.getvalue()


def explain(error: AwsError, sender: str) -> str:
    """Return what is wrong, where, and what to do, in sentences."""
    where = os.environ.get("AWS_REGION", "this region")
    if isinstance(error, Unanswered):
        return (
            f"The e-mail from {sender} may not have been sent, and is not sent again: "
            f"{error}. Look for it in the recipient's mailbox before you repeat it: "
            f"{HELP}"
        )
    if not error.code:
        return (
            f"The e-mail from {sender} was not sent: {error}. Functions in a VPC reach "
            f"SES through a NAT gateway or the endpoint com.amazonaws.{where}.email: "
            f"{HELP}"
        )
    refused = f"SES in {where} did not accept the e-mail from {sender}: {error}"
    if error.code == "MessageRejected" and NOT_VERIFIED in error.detail:
        is_sender = sender.lower() in error.detail.lower()
        why, fix = SENDER if is_sender else SANDBOX
    elif error.code in REASONS:
        why, fix = REASONS[error.code]
    else:
        return f"{refused}. Look the code up in the API reference of SES: {HELP}"
    return f"{refused}, because {why}. {fix}: {HELP}"


def megabytes(size: int) -> int:
    """Return whole MB, rounded up."""
    return -(-size // 1024**2)
