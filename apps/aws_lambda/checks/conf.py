"""The app's own settings: values with which no handler can be built."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from django.core.checks import CheckMessage
from django.core.checks import Error as CheckError

from .. import conf
from ..http.gateway import make_gateway

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

# The option of make_gateway, which validates it, for each setting.
OPTIONS = {
    "LAMBDA_BASE_PATH": "base_path",
    "LAMBDA_URL_SCHEME": "scheme",
    "LAMBDA_TRUSTED_PROXIES": "trusted_proxies",
    "LAMBDA_ORIGIN_SECRET": "origin_secret",
}


def application(
    environ: "WSGIEnvironment", start_response: "StartResponse"
) -> Iterable[bytes]:
    return ()


def values() -> Iterator[CheckMessage]:
    for name, option in OPTIONS.items():
        try:
            make_gateway(application, **{option: conf.get(name)})
        except (AttributeError, TypeError, ValueError) as error:
            secret = name == "LAMBDA_ORIGIN_SECRET"
            shown = "invalid" if secret else repr(conf.get(name))
            yield CheckError(
                f"{name} is {shown}: the handler cannot be built ({error}).",
                hint=f"Correct or remove it; the default is {conf.DEFAULTS[name]!r}.",
                id="aws_lambda.E016",
            )
