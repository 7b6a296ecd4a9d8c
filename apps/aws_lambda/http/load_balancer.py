"""
An Application Load Balancer, whose format resembles payload format 1.0.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html
"""

import logging
from functools import cache
from http import HTTPStatus

from ..aws.limits import MAX_ALB_PAYLOAD_BYTES
from ..events import Context, Event
from .payload_1_0 import RestApi, read_format_1_0
from .request import Options, Request, at_root
from .response import Response, Result

logger = logging.getLogger(__name__)


class LoadBalancer(RestApi):
    """A target group, with multi-value headers or, by default, without."""

    name = "ALB"
    limit_bytes = MAX_ALB_PAYLOAD_BYTES

    def sends(self, event: Event, context: Context) -> bool:
        return "httpMethod" in event and "elb" in context

    def read(self, event: Event, options: Options) -> Request:
        mount = at_root(event["path"])
        request = read_format_1_0(event, options, mount, encoded_query=True)
        # The balancer appends. What is further left was written by the client.
        forwarded = request.headers.get("HTTP_X_FORWARDED_FOR", "").split(",")
        schemes = request.headers.get("HTTP_X_FORWARDED_PROTO", "").split(",")
        scheme = schemes[-1].strip()
        return request._replace(
            client=_without_port(forwarded[-options.trusted_proxies :][0].strip()),
            scheme=scheme if scheme in ("http", "https") else options.scheme,
        )

    def write(self, event: Event, response: Response) -> Result:
        try:
            phrase = HTTPStatus(response.status).phrase
        except ValueError:
            phrase = "Unknown"
        result = super().write(event, response)
        result["statusDescription"] = f"{response.status} {phrase}"
        if event.get("multiValueHeaders") is None:
            # The balancer reads the form that it sends, and ignores the other.
            del result["multiValueHeaders"]
            if len(response.cookies) > 1:
                _warn_of_single_values()
            result["headers"] = response.headers | {
                _cased("set-cookie", i): cookie
                for i, cookie in enumerate(response.cookies)
            }
        return result


def _without_port(address: str) -> str:
    # An ALB can be configured to append the client's port.
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return address.partition(":")[0] if address.count(":") == 1 else address


def _cased(name: str, number: int) -> str:
    """
    Return the name with capital letters where ``number`` has its bits.

    Without multi-value headers an ALB takes one value a name. But names that
    differ in case are different names to it, and the same to a browser.
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
