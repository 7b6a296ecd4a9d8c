"""Health checks: is the process alive, and is the database reachable?"""

import logging

from django.db import Error, connection
from django.http import HttpRequest, JsonResponse

logger = logging.getLogger(__name__)


def live(request: HttpRequest) -> JsonResponse:
    """Respond with 200, without a database query."""
    return _respond(200, status="ok")


def ready(request: HttpRequest) -> JsonResponse:
    """Respond with 200 if a database query succeeds, otherwise with 503."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error:
        # Host and user names are in the log only.
        logger.exception("Cannot reach the database")
        return _respond(503, status="unavailable", reason="database_unreachable")
    return _respond(200, status="ok")


def _respond(status_code: int, **body: str) -> JsonResponse:
    return JsonResponse(body, status=status_code, headers={"Cache-Control": "no-store"})
