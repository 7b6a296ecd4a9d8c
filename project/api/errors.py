"""Errors of the API, in the shape that all errors of the site have."""

from collections.abc import Iterator
from typing import Any

from rest_framework.exceptions import APIException, ValidationError
from rest_framework.response import Response
from rest_framework.views import exception_handler

from apps.aws_lambda.http.errors import error_body
from apps.aws_lambda.invocation import request_id

INVALID = "Some fields are not valid: see fields."


def handle(error: Exception, context: dict[str, Any]) -> Response | None:
    """
    Return the response for an exception of a view; None if Django handles it.

    A validation error has ``fields``: a list of texts for each name.
    """
    response = exception_handler(error, context)
    if response is None:
        return None
    body: dict[str, Any] = {}
    if isinstance(error, ValidationError):
        body = {"fields": dict(flat(error.detail))}
        code, message = "validation_failed", INVALID
    elif isinstance(error, APIException):
        code, message = error.default_code, str(error.detail)
    else:
        # Http404 and PermissionDenied of Django, which the table has.
        code = message = ""
    answer = error_body(
        response.status_code, request_id.get(), error=code, message=message
    )
    response.data = {**answer, **body}
    response["Cache-Control"] = "no-store"
    return response


def flat(detail: Any) -> Iterator[tuple[str, list[str]]]:
    """Return the texts of each field; those of its parts begin with their names."""
    fields = detail if isinstance(detail, dict) else {"detail": detail}
    for name, errors in fields.items():
        if isinstance(errors, dict):
            parts = flat(errors)
            texts = [f"{part}: {text}" for part, texts in parts for text in texts]
        else:
            texts = [str(error) for error in errors]
        yield str(name), texts
