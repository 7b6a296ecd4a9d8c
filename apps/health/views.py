"""Is this process alive, and can it serve?"""

import logging

from django.db import Error, connection
from django.http import HttpRequest, JsonResponse

logger = logging.getLogger(__name__)


def live(request: HttpRequest) -> JsonResponse:
    """Answer 200 without touching the database: the process is serving."""
    return _answer(200, status="ok")


def ready(request: HttpRequest) -> JsonResponse:
    """Answer 200 if the database answers a query, else 503 with the reason."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error:
        # Host names and user names stay in the log.
        logger.exception("The database does not answer")
        return _answer(503, status="unavailable", reason="database_unreachable")
    return _answer(200, status="ok")


def _answer(status_code: int, **body: str) -> JsonResponse:
    # A cached "ok" would be a lie the moment it is served.
    return JsonResponse(body, status=status_code, headers={"Cache-Control": "no-store"})
