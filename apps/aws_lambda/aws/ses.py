"""
The call to SES that e-mail needs, of its API version 2.

https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html
"""

import json
import os
import time
from base64 import b64encode

from . import service

# With its retries: below the timeout of every gateway, and long enough for a message
# with attachments.
CALL_TIMEOUT_SECONDS = 10.0
# The pauses add up to some 2 seconds: an account in the sandbox may send one message
# a second.
ATTEMPTS = 5


def send_email(message: bytes, destination: dict[str, list[str]]) -> str:
    """
    Give SES a MIME message, and return its ID.

    ``destination`` has addresses by "To", "Cc" and "Bcc", at most MAX_SES_RECIPIENTS
    together: SES sends to these, and not to those in the headers. It takes the sender
    from the header From. Raises AwsError, which is Unanswered if SES may have accepted
    the message; it is not sent again then.
    """
    parameters = {
        "Content": {"Raw": {"Data": b64encode(message).decode()}},
        "Destination": {f"{k}Addresses": found for k, found in destination.items()},
    }
    answer = service.request(
        os.environ,
        "ses",
        json.dumps(parameters).encode(),
        {"content-type": "application/json"},
        deadline=time.monotonic() + CALL_TIMEOUT_SECONDS,
        path="/v2/email/outbound-emails",
        prefix="email",
        attempts=ATTEMPTS,
        response_seconds=CALL_TIMEOUT_SECONDS,
        once=True,
    )
    return str(answer["MessageId"])
