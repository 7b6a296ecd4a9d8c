"""Errors of the API, in the shape that all errors of the site have."""

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
        detail = error.detail
        fields = detail if isinstance(detail, dict) else {"detail": detail}
        body = {"fields": fields}
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
