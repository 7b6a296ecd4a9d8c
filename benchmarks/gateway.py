"""
Compare the cost of this project's gateway with that of apig-wsgi alone.

Both serve the same WSGI application. In all rows except the last it only responds,
so that the time is that of the gateway. In the last row it is this project's home
page, rendered by Django. Both are measured in alternation, and each round gives one
ratio, so that load on the machine affects both. The time is processor time, which
other processes affect less than wall time. A ratio below 1 means that this
project's handler is faster.

Run: .venv/bin/python -m benchmarks.gateway
"""

import base64
import gc
import os
import time
from collections.abc import Callable, Iterable
from statistics import median
from typing import Any

from apig_wsgi import make_lambda_handler
from django.core.wsgi import get_wsgi_application

from apps.aws_lambda.handlers import make_handler
from apps.aws_lambda.test import LambdaContext
from tests.events import load_event

ROUNDS = 200
# With a remaining time, so that the deadline guard is active as on Lambda. It is
# longer than the benchmark runs, because no request may exceed the deadline.
CONTEXT = LambdaContext(timeout=3600)
MEGABYTE = 1024 * 1024


def responding(content_type: str, body: bytes) -> Callable[..., Iterable[bytes]]:
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


PAGE = (
    b"<!doctype html><title>Page</title>" + '<p class="a">Déjà vu</p>\n'.encode() * 740
)
SCENARIOS: list[tuple[str, Any, bytes]] = [
    ("small JSON", responding("application/json", b'{"status": "ok"}'), b""),
    ("20 KB page", responding("text/html; charset=utf-8", PAGE), b""),
    ("1 MB image", responding("image/png", os.urandom(MEGABYTE)), b""),
    ("1 MB upload", responding("text/plain", b"ok"), os.urandom(MEGABYTE)),
]


def seconds(handler: Any, event: dict[str, Any], times: int) -> float:
    start = time.thread_time()
    for _ in range(times):
        handler(event, CONTEXT)
    return (time.thread_time() - start) / times


def django() -> Any:
    os.environ["DJANGO_SETTINGS_MODULE"] = "project.settings"
    os.environ["ALLOWED_HOSTS"] = "*"
    # Keep access lines out of the table.
    os.environ["LOG_LEVEL"] = "WARNING"
    return get_wsgi_application()


def main() -> None:
    scenarios = [*SCENARIOS, ("Django's page", django(), b"")]
    print(f"{'':14}{'REST API':>30}{'HTTP API':>30}")
    for name, application, upload in scenarios:
        cells = []
        for kind in ("rest_stage_root", "http_default"):
            event = load_event(kind, rawPath="/")
            if upload:
                event["body"] = base64.b64encode(upload).decode()
                event["isBase64Encoded"] = True
            bare = make_lambda_handler(application, binary_support=True)
            ours = make_handler(application)
            times = 5 if "MB" in name else 20
            ratios, costs = [], []
            gc.disable()
            for _ in range(ROUNDS):
                bare_seconds = seconds(bare, event, times)
                our_seconds = seconds(ours, event, times)
                ratios.append(our_seconds / bare_seconds)
                costs.append((bare_seconds, our_seconds))
            gc.enable()
            bare_us, our_us = (median(c) * 1e6 for c in zip(*costs, strict=True))
            cells.append(f"{bare_us:8.1f} -> {our_us:7.1f} us  {median(ratios):5.2f}")
        print(f"{name:14}" + "".join(f"{cell:>30}" for cell in cells))


if __name__ == "__main__":
    main()
