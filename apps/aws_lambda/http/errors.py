"""The one shape of every error that a client receives."""

import json
from datetime import UTC, datetime
from typing import TypedDict

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

    ``status`` must be a key of ERRORS, which has the code and the message unless
    they are given. The timestamp is UTC in ISO 8601.
    """
    default_error, default_message = ERRORS[status]
    return {
        "statusCode": status,
        "error": error or default_error,
        "message": message or default_message,
        "requestId": request_id,
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
    }


def error_response(
    status: int,
    request_id: str,
    *,
    error: str | None = None,
    message: str | None = None,
) -> Response:
    """Return the JSON response for an error that Django did not answer itself."""
    body = error_body(status, request_id, error=error, message=message)
    headers = {
        "content-type": "application/json",
        "cache-control": "no-store",
        "x-request-id": request_id,
    }
    return Response(status, headers, [], json.dumps(body).encode())
