"""The one shape of every error that a client receives."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypedDict

from .request import Request
from .response import Response


class ErrorBody(TypedDict):
    """The body of an error response: never exception text, always the request ID."""

    statusCode: int
    error: str
    message: str
    requestId: str
    timestamp: str


# status -> (stable code for programs, sentence for people)
ERRORS = {
    400: ("bad_request", "The request is invalid."),
    403: ("permission_denied", "You do not have permission to do this."),
    404: ("not_found", "Page not found."),
    413: ("request_too_large", "The request is larger than this site accepts."),
    429: ("too_many_attempts", "There were too many attempts. Try again later."),
    500: ("internal_error", "An internal error occurred. It has been logged."),
    504: ("deadline_exceeded", "The request took too long and was stopped."),
}


def error_body(
    status: int,
    request_id: str,
    *,
    error: str | None = None,
    message: str | None = None,
) -> ErrorBody:
    """
    Return the body of an error response.

    ERRORS has the code and the message unless they are given: raises KeyError for
    another status without both. The timestamp is UTC in ISO 8601.
    """
    return {
        "statusCode": status,
        "error": error or ERRORS[status][0],
        "message": message or ERRORS[status][1],
        "requestId": request_id,
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
    }


# Request, status, request ID, and the code and message unless they are ERRORS' own.
ErrorWriter = Callable[[Request, int, str, str | None, str | None], Response]


def json_error(
    request: Request,
    status: int,
    request_id: str,
    error: str | None,
    message: str | None,
) -> Response:
    """Return the JSON response for an error that Django does not answer."""
    body = error_body(status, request_id, error=error, message=message)
    headers = {
        "content-type": "application/json",
        "cache-control": "no-store",
        "x-request-id": request_id,
    }
    return Response(status, headers, [], json.dumps(body).encode())
