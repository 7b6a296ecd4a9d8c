"""
What the script calls: JSON in and out, for a user who is logged in.

400 has a text for the user, 202 and 503 mean that the same request may be repeated.
"""

import json
import logging
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.core.signing import BadSignature
from django.http import HttpRequest, JsonResponse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_POST

from ..aws.http import AwsError
from . import grants, tickets

logger = logging.getLogger(__name__)

View = Callable[..., dict[str, Any]]


def answer(view: View) -> Callable[..., JsonResponse]:
    """Give the view the JSON object of the request, and make its answer JSON."""

    @never_cache
    @require_POST
    @csrf_protect
    @wraps(view)
    def wrapped(request: HttpRequest, **kwargs: str) -> JsonResponse:
        try:
            document = json.loads(request.body or b"{}")
            if not isinstance(document, dict):
                raise TypeError("not an object")
            return JsonResponse(view(document, **kwargs))
        except (KeyError, OverflowError, RecursionError, TypeError, ValueError):
            return refusal(400, _("The request is not valid. Reload the page."))
        except grants.Refused as error:
            return refusal(400, str(error))
        except grants.Unfinished:
            return refusal(202, _("The file is being stored."))
        except AwsError as error:
            logger.exception("The bucket refused a call for an upload")
            return refusal(503, _("The file store does not answer.") + f" ({error})")

    return wrapped


def refusal(status: int, text: str) -> JsonResponse:
    return JsonResponse({"error": text}, status=status)


@answer
def start(document: dict[str, Any]) -> dict[str, Any]:
    try:
        label = tickets.check(str(document["ticket"]))
    except BadSignature:
        raise grants.Refused(_("This form is too old. Reload the page.")) from None
    upload = grants.start(label, str(document["name"]), int(document["size"]))
    return {"token": upload.token, "partSize": upload.part_size}


@answer
def sign(document: dict[str, Any], token: str) -> dict[str, Any]:
    checksums = {int(n): str(digest) for n, digest in dict(document["parts"]).items()}
    return {"parts": [part._asdict() for part in grants.sign(token, checksums)]}


@answer
def state(document: dict[str, Any], token: str) -> dict[str, Any]:
    upload = grants.find(token)
    return {
        "done": upload.done_at is not None,
        "partSize": upload.part_size,
        "parts": {
            part.number: {"size": part.size, "sha256": part.sha256}
            for part in grants.sent(token)
        },
    }


@answer
def finish(document: dict[str, Any], token: str) -> dict[str, Any]:
    upload = grants.finish(token)
    return {"name": upload.filename, "size": upload.size}


@answer
def cancel(document: dict[str, Any], token: str) -> dict[str, Any]:
    grants.cancel(token)
    return {}
