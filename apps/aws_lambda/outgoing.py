"""
Write a result in the form that the door accepts.

What comes in is a result of payload format 2.0, which is what apig-wsgi makes:
one value a header, and the cookies apart.
"""

import json
import logging
from functools import cache
from http import HTTPStatus
from typing import Any

import pybase64

from .events import Event

logger = logging.getLogger(__name__)

Result = dict[str, Any]

# A body of these types in a subset of UTF-8 can travel as text. Everything else
# travels as base64.
TEXT_TYPES = ("text/", "application/json", "application/javascript", "application/xml")
TEXT_SUFFIXES = ("+json", "+xml")
TEXT_CHARSETS = ("utf-8", "utf8", "us-ascii", "ascii")


def put_body(result: Result, body: bytes) -> None:
    """Put the body into the result, as text where that is the same bytes."""
    if not body or _is_text(result["headers"]):
        try:
            result["body"], result["isBase64Encoded"] = body.decode(), False
            return
        except UnicodeDecodeError:
            pass
    result["body"] = pybase64.b64encode_as_string(body)
    result["isBase64Encoded"] = True


def _is_text(headers: dict[str, str]) -> bool:
    if "content-encoding" in headers:
        return False
    media_type, _, parameters = headers.get("content-type", "").lower().partition(";")
    media_type = media_type.strip()
    if not (media_type.startswith(TEXT_TYPES) or media_type.endswith(TEXT_SUFFIXES)):
        return False
    _, found, charset = parameters.partition("charset=")
    return not found or charset.partition(";")[0].strip(' "') in TEXT_CHARSETS


def excess(result: Result, limit: int) -> int:
    """Return the size of a result that is over the limit, else 0. In bytes."""
    # JSON writes a control character as six. The other half is ample for headers.
    longest = 1 if result["isBase64Encoded"] else 6
    if longest * len(result["body"]) < limit // 2:
        return 0
    size = len(json.dumps(result, ensure_ascii=False).encode())
    return size if size > limit else 0


def payload_v2(event: Event, result: Result) -> Result:
    return result


def payload_v1(event: Event, result: Result) -> Result:
    headers = {name: [value] for name, value in result["headers"].items()}
    if result["cookies"]:
        headers["set-cookie"] = result["cookies"]
    return {
        "statusCode": result["statusCode"],
        "multiValueHeaders": headers,
        "body": result["body"],
        "isBase64Encoded": result["isBase64Encoded"],
    }


def alb(event: Event, result: Result) -> Result:
    try:
        phrase = HTTPStatus(result["statusCode"]).phrase
    except ValueError:
        phrase = "Unknown"
    written = payload_v1(event, result)
    written["statusDescription"] = f"{result['statusCode']} {phrase}"
    if event.get("multiValueHeaders") is None:
        # The balancer reads the form that it sends, and ignores the other.
        del written["multiValueHeaders"]
        if len(result["cookies"]) > 1:
            _warn_of_single_values()
        written["headers"] = result["headers"] | {
            _cased("set-cookie", i): cookie
            for i, cookie in enumerate(result["cookies"])
        }
    return written


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
