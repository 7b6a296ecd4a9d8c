"""The answers of AWS to a session that has expired, in the protocol of each service."""

import json
import re
from collections.abc import Callable

from tests.services.local_lambda import Answer, Asked

SERVICE = re.compile(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/aws4_request")
MESSAGE = "The security token included in the request is expired"


def service_of(asked: Asked) -> str:
    """Return the service of a signed request, "" if it is not signed."""
    # The SDK for JavaScript writes it in lower case.
    headers = {name.lower(): value for name, value in asked.headers.items()}
    found = SERVICE.search(headers.get("authorization", ""))
    return found[1] if found else ""


def expired(asked: Asked) -> Answer:
    """Return the refusal of a request."""
    if service_of(asked) == "s3":
        body = f"<Error><Code>ExpiredToken</Code><Message>{MESSAGE}</Message></Error>"
        return 400, body.encode(), {"Content-Type": "application/xml"}
    if b"Action=" in asked.body:
        body = (
            "<ErrorResponse><Error><Type>Sender</Type><Code>ExpiredToken</Code>"
            f"<Message>{MESSAGE}</Message></Error></ErrorResponse>"
        )
        return 403, body.encode(), {"Content-Type": "text/xml"}
    code = "ExpiredTokenException"
    body = json.dumps({"__type": code, "message": MESSAGE})
    return 403, body.encode(), {"x-amzn-ErrorType": code}


class Session:
    """
    Answer requests until one ``ends`` the session, and refuse it and all later ones.

    Requests without a signature, such as those of a visitor, are answered. ``refused``
    is the request that ended it.
    """

    def __init__(self, ends: Callable[[Asked], bool]) -> None:
        self.ends = ends
        self.refused: Asked | None = None

    def __call__(self, asked: Asked, respond: Callable[[Asked], Answer]) -> Answer:
        if not service_of(asked):
            return respond(asked)
        if self.refused or self.ends(asked):
            self.refused = self.refused or asked
            return expired(asked)
        return respond(asked)
