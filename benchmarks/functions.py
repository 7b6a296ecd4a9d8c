"""
The functions of benchmarks.runtime, each in a process of its own.

APPLICATION names the WSGI application, and BODY_BYTES the size of its response. The
handlers are ``null``, ``bare`` (apig-wsgi alone) and ``gateway`` (this project's).
"""

import os
from collections.abc import Iterable
from typing import Any

APPLICATION = os.environ.get("APPLICATION", "")
SIZE = int(os.environ.get("BODY_BYTES", "0"))
# As FileResponse is read.
BLOCK = os.urandom(256 * 1024)
LINE = (
    '<p class="a" href="/a/b/">Déjà vu, and some more text for one line</p>\n'.encode()
)


def null(event: Any, context: Any) -> None:
    pass


def responding(content_type: str, body: bytes) -> Any:
    headers = [
        ("Content-Type", content_type),
        ("Content-Length", str(len(body))),
        ("X-Frame-Options", "DENY"),
        ("Vary", "Cookie"),
        ("Set-Cookie", "csrftoken=0123456789abcdef; Path=/"),
    ]

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ["wsgi.input"].read()
        start_response("200 OK", headers)
        return [body]

    return application


def streaming(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    size = int(environ["QUERY_STRING"])
    return (BLOCK for _ in range(size // len(BLOCK)))


def make_application() -> Any:
    if APPLICATION == "stream":
        return streaming
    if APPLICATION == "json":
        return responding("application/json", b'{"status": "ok"}')
    if APPLICATION == "text":
        body = LINE * (SIZE // len(LINE))
        return responding("text/html; charset=utf-8", body)
    if APPLICATION == "binary":
        return responding("image/png", os.urandom(SIZE))
    from django.core.wsgi import get_wsgi_application

    return get_wsgi_application()


if APPLICATION:
    import gc

    import django

    # In both, as on any site.
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    django.setup(set_prefix=False)
    if os.environ["_HANDLER"].endswith(".bare"):
        from apig_wsgi import make_lambda_handler

        bare = make_lambda_handler(make_application(), binary_support=True)
    else:
        from apps.aws_lambda.handlers import make_handler

        gateway = make_handler(make_application(), streaming=APPLICATION == "stream")
    # As the init phase does.
    gc.collect()
    gc.freeze()
