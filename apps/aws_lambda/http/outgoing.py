"""Write a response in the form that the event source accepts."""

import json
import logging
from functools import cache, lru_cache
from http import HTTPStatus
from typing import Any

import pybase64

from ..events import Event
from .response import Response

logger = logging.getLogger(__name__)

Result = dict[str, Any]

# A body of these types in a subset of UTF-8 can travel as text. Everything else
# travels as base64.
TEXT_TYPES = ("text/", "application/json", "application/javascript", "application/xml")
TEXT_SUFFIXES = ("+json", "+xml")
TEXT_CHARSETS = ("utf-8", "utf8", "us-ascii", "ascii")


def payload_v2(event: Event, response: Response) -> Result:
    body, is_base64 = _encoded(response)
    return {
        "statusCode": response.status,
        "headers": response.headers,
        "cookies": response.cookies,
        "body": body,
        "isBase64Encoded": is_base64,
    }


def payload_v1(event: Event, response: Response) -> Result:
    headers = {name: [value] for name, value in response.headers.items()}
    if response.cookies:
        headers["set-cookie"] = response.cookies
    body, is_base64 = _encoded(response)
    return {
        "statusCode": response.status,
        "multiValueHeaders": headers,
        "body": body,
        "isBase64Encoded": is_base64,
    }


def alb(event: Event, response: Response) -> Result:
    try:
        phrase = HTTPStatus(response.status).phrase
    except ValueError:
        phrase = "Unknown"
    written = payload_v1(event, response)
    written["statusDescription"] = f"{response.status} {phrase}"
    if event.get("multiValueHeaders") is None:
        # The balancer reads the form that it sends, and ignores the other.
        del written["multiValueHeaders"]
        if len(response.cookies) > 1:
            _warn_of_single_values()
        written["headers"] = response.headers | {
            _cased("set-cookie", i): cookie for i, cookie in enumerate(response.cookies)
        }
    return written


def _encoded(response: Response) -> tuple[str, bool]:
    """Return the body as text where that is the same bytes, or else as base64."""
    body, headers = response.body, response.headers
    if not body or (
        "content-encoding" not in headers and _is_text(headers.get("content-type", ""))
    ):
        try:
            return body.decode(), False
        except UnicodeDecodeError:
            pass
    return pybase64.b64encode_as_string(body), True


@lru_cache(maxsize=256)
def _is_text(content_type: str) -> bool:
    media_type, _, parameters = content_type.lower().partition(";")
    media_type = media_type.strip()
    if not (media_type.startswith(TEXT_TYPES) or media_type.endswith(TEXT_SUFFIXES)):
        return False
    _, found, charset = parameters.partition("charset=")
    return not found or charset.partition(";")[0].strip(' "') in TEXT_CHARSETS


def _cased(name: str, number: int) -> str:
    """
    Return the name with capital letters where ``number`` has its bits.

    One value a name is all that an ALB takes in single-value mode, but names
    that differ in case are different names to it and the same to a browser.
    """
    letters = iter(format(number, f"0{len(name)}b")[::-1])
    return "".join(
        c.upper() if c.isalpha() and next(letters) == "1" else c for c in name
    )


@cache
def _warn_of_single_values() -> None:
    logger.warning(
        "The target group passes one value a header: repeated request headers and "
        "query parameters are lost before they arrive. Set its attribute "
        "lambda.multi_value_headers.enabled to true."
    )


def excess(result: Result, limit: int) -> int:
    """Return the size of a result that is over the limit, else 0. In bytes."""
    # JSON writes a control character as six. The other half is ample for headers.
    longest = 1 if result["isBase64Encoded"] else 6
    if longest * len(result["body"]) < limit // 2:
        return 0
    size = len(json.dumps(result, ensure_ascii=False).encode())
    return size if size > limit else 0
