"""
Error views: JSON for programs, a page for browsers, both with the request ID.

A URLconf sets its ``handler400`` to ``handler500`` to the first four views,
CSRF_FAILURE_VIEW names the fifth, and AXES_LOCKOUT_CALLABLE the sixth.
"""

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template import loader
from django.utils.cache import patch_vary_headers

from .http.errors import error_body
from .invocation import request_id


def error_response(
    request: HttpRequest,
    status: int,
    *,
    error: str | None = None,
    message: str | None = None,
) -> HttpResponse:
    """
    Return the error as a page if the client asks for HTML, else as JSON.

    A browser names text/html in Accept. A program that sends ``*/*``, or no Accept
    header, gets JSON.
    """
    body = error_body(status, request_id.get(), error=error, message=message)
    preferred = request.get_preferred_type(["application/json", "text/html"])
    if preferred != "text/html":
        return never_cached(JsonResponse(body, status=status))
    # Without the request: a context processor may need what has just failed, above
    # all the database.
    context = {"error": body, "csp_nonce": getattr(request, "_csp_nonce", None)}
    page = loader.get_template("aws_lambda/error.html").render(context)
    return never_cached(HttpResponse(page, status=status))


def never_cached(response: HttpResponse) -> HttpResponse:
    """Keep caches from sending one client's error, and its request ID, to others."""
    response["Cache-Control"] = "no-store"
    patch_vary_headers(response, ["Accept"])
    return response


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 413 to a body over DATA_UPLOAD_MAX_MEMORY_SIZE, else 400."""
    status = 413 if isinstance(exception, RequestDataTooBig) else 400
    return error_response(request, status)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    return error_response(request, 403)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return error_response(request, 404)


def server_error(request: HttpRequest) -> HttpResponse:
    return error_response(request, 500)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Explain how to fix a CSRF failure. Django has already logged the reason."""
    return error_response(
        request,
        403,
        error="csrf_failed",
        message=(
            "The form could not be verified. Reload the page and send it again; "
            "your browser must accept cookies from this site."
        ),
    )


def too_many_attempts(
    request: HttpRequest, original: HttpResponse, credentials: dict[str, str]
) -> HttpResponse:
    """Answer a login that django-axes has locked out."""
    return error_response(request, 429)
