"""
An Application Load Balancer, whose format resembles payload format 1.0.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html
"""

import logging
from functools import cache
from http import HTTPStatus

from ..aws.limits import MAX_ALB_PAYLOAD_BYTES
from ..events import Event, RequestContext
from .payload_1_0 import RestApi, read_format_1_0
from .request import Options, Request, decode_path, forwarded_client, mount
from .response import Fields, Response

logger = logging.getLogger(__name__)


class LoadBalancer(RestApi):
    """A target group, with multi-value headers or, by default, without."""

    name = "ALB"
    limit_bytes = MAX_ALB_PAYLOAD_BYTES
    upload_limit = "0.7 MB"
    header_limit_bytes: int | None = None
    streams = False

    def sends(self, event: Event, context: RequestContext) -> bool:
        return "httpMethod" in event and "elb" in context

    def read(self, event: Event, options: Options) -> Request:
        place = mount(decode_path(event["path"]), options.base_path)
        request = read_format_1_0(event, options, place, encoded_query=True)
        schemes = request.headers.get("HTTP_X_FORWARDED_PROTO", "").split(",")
        scheme = schemes[-1].strip()
        if scheme in ("http", "https"):
            request.scheme = scheme
        request.client = forwarded_client(request.headers, options.trusted_proxies)
        return request

    def write(self, event: Event, response: Response) -> Fields:
        try:
            phrase = HTTPStatus(response.status).phrase
        except ValueError:
            phrase = "Unknown"
        fields = super().write(event, response)
        fields["statusDescription"] = f"{response.status} {phrase}"
        if event.get("multiValueHeaders") is None:
            # The balancer reads the form that it sends, and ignores the other.
            del fields["multiValueHeaders"]
            if len(response.cookies) > 1:
                _warn_about_single_values()
            fields["headers"] = response.headers | {
                _cased("set-cookie", i): cookie
                for i, cookie in enumerate(response.cookies)
            }
        return fields


def _cased(name: str, number: int) -> str:
    """
    Return the name with capital letters where ``number`` has its bits.

    Without multi-value headers an ALB accepts one value per header name. But names that
    differ in case are different names to it, and the same to a browser.
    """
    letters = iter(format(number, f"0{len(name)}b")[::-1])
    return "".join(
        c.upper() if c.isalpha() and next(letters) == "1" else c for c in name
    )


@cache
def _warn_about_single_values() -> None:
    logger.warning(
        "The target group passes one value per header name: repeated request headers "
        "and query parameters are lost. Set lambda.multi_value_headers.enabled to true "
        "on it (docs/event-sources.md)."
    )
