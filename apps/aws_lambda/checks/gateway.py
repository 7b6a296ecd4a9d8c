"""The app's own settings, and the gateway's timeout."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from django.core.checks import CheckMessage
from django.core.checks import Error as CheckError
from django.core.checks import Warning as CheckWarning

from .. import conf
from ..http.gateway import make_gateway
from .lookup import number

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

OPTIONS = {
    "LAMBDA_BASE_PATH": "base_path",
    "LAMBDA_URL_SCHEME": "scheme",
    "LAMBDA_TRUSTED_PROXIES": "trusted_proxies",
}

# None says that it is not known, or that there is none.
NUMBERS = (
    "LAMBDA_RESERVED_CONCURRENCY",
    "LAMBDA_DATABASE_MAX_CONNECTIONS",
    "LAMBDA_FUNCTION_TIMEOUT",
    "LAMBDA_GATEWAY_TIMEOUT",
)


def application(
    environ: "WSGIEnvironment", start_response: "StartResponse"
) -> Iterable[bytes]:
    return ()


def values() -> Iterator[CheckMessage]:
    for name, option in OPTIONS.items():
        try:
            make_gateway(application, **{option: conf.get(name)})
        except (AttributeError, TypeError, ValueError) as error:
            yield invalid(name, f"the handler cannot be built, because {error}")
    for name in NUMBERS:
        if conf.get(name) is not None and number(name) is None:
            yield invalid(name, "it must be a whole number above 0, or None")


def invalid(name: str, why: str) -> CheckMessage:
    return CheckError(
        f"{name} is {conf.get(name)!r}: {why}.",
        hint=f"Correct it, or remove it: the default is {conf.DEFAULTS[name]!r}.",
        id="aws_lambda.E016",
    )


def function_timeout() -> Iterator[CheckMessage]:
    function = number("LAMBDA_FUNCTION_TIMEOUT")
    gateway = number("LAMBDA_GATEWAY_TIMEOUT")
    if function and gateway and function > gateway:
        yield CheckWarning(
            f"LAMBDA_FUNCTION_TIMEOUT ({function} s) is above LAMBDA_GATEWAY_TIMEOUT "
            f"({gateway} s): the client is told that the request failed while it goes "
            "on, writes, and is billed.",
            hint=f"Give the function a timeout of at most {gateway} s; where the "
            "gateway waits longer, correct LAMBDA_GATEWAY_TIMEOUT.",
            id="aws_lambda.W013",
        )
