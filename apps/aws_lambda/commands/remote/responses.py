"""Responses that are not those of AWS, such as the page of a proxy."""

import re
from typing import Any

from botocore.exceptions import BotoCoreError
from botocore.parsers import ResponseParserFactory

# boto3 takes a page for a response without values, for the text of an error, or for
# XML that it cannot parse, which depends on the service.
PAGE = re.compile(rb"\s*<(!doctype\s+)?html", re.IGNORECASE)
TITLE = re.compile(r"<title[^>]*>\s*(.{1,100}?)\s*</title>", re.IGNORECASE | re.DOTALL)


class ForeignResponse(BotoCoreError):  # type: ignore[misc]
    """Something else than AWS has responded. AWS may have executed the call."""

    fmt = "The response is not that of AWS, but has status {status}{title}"


def check_responses(client: Any) -> Any:
    """
    Return a client of boto3 that raises ForeignResponse where AWS has not responded.

    A status of 500 or more remains a ClientError, and its code is the status.
    """
    client.meta.events.register("before-parse", _check)
    return client


def _check(
    response_dict: dict[str, Any], operation_model: Any, **others: object
) -> None:
    if _is_of_aws(response_dict, operation_model):
        return
    status = int(response_dict["status_code"])
    if status >= 500:
        # boto3 repeats such a call, if it can read the response.
        response_dict["body"] = b""
        return
    body = response_dict["body"]
    page = body if isinstance(body, bytes) else body.read()
    raise ForeignResponse(status=status, title=_title(page))


def _is_of_aws(response: dict[str, Any], operation_model: Any) -> bool:
    body = response["body"]
    if not isinstance(body, bytes):
        # The payload of a function, or an object of S3.
        return not response["headers"].get("content-type", "").startswith("text/html")
    model = operation_model.service_model
    # boto3 1.35 knows one protocol of each service.
    protocol = getattr(model, "resolved_protocol", model.protocol)
    is_object = not body.strip() or body.lstrip().startswith(b"{")
    if PAGE.match(body) or ("json" in protocol and not is_object):
        return False
    parser = ResponseParserFactory().create_parser(protocol)
    try:
        parsed = parser.parse({**response}, operation_model.output_shape)
    except Exception:
        # boto3 has no class for what its parsers raise.
        return False
    if response["status_code"] < 300 or operation_model.http.get("method") == "HEAD":
        return True
    code = str(parsed.get("Error", {}).get("Code", ""))
    return bool(code) and code != "Unknown" and not code.isdigit()


def _title(page: bytes) -> str:
    """Return the title of a page. Nothing else is printed: it may be a secret."""
    found = TITLE.search(page.decode(errors="replace"))
    return f' and the title "{" ".join(found[1].split())}"' if found else ""
