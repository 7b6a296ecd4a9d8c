"""
Compare the cost of this project's gateway with that of apig-wsgi alone.

Both serve the same WSGI application. In all rows except the last it only responds,
so that the time is that of the gateway. In the last row it is this project's home
page, rendered by Django. Both are measured in alternation, and each round gives one
ratio, so that load on the machine affects both. The time is processor time, which
other processes affect less than wall time. A ratio below 1 means that this
project's handler is faster.

A second table is what compression costs and saves: the same request to this project's
Django without and with gzip in its Accept-Encoding, through an HTTP API.

Run: .venv/bin/python -m benchmarks.gateway
"""

import base64
import gc
import json
import os
import random
import time
from collections.abc import Callable, Iterable
from statistics import median
from typing import Any

from apig_wsgi import make_lambda_handler
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path

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

# As a site has them: names that repeat, and numbers that do not.
rng = random.Random(15)  # noqa: S311 - the same rows in each run
ROWS = [
    {
        "id": number,
        "name": f"{rng.choice(['Red', 'Green', 'Blue'])} product {rng.randrange(9999)}",
        "price": f"{rng.uniform(1, 500):.2f}",
        "updated": f"2026-11-{rng.randrange(1, 29):02}T{rng.randrange(24):02}:00:00Z",
    }
    for number in range(10_600)
]
LINE = (
    '<tr><td>{id}</td><td>{name}</td><td class="right">{price}</td><td>{updated}</td>\n'
)
TABLE = "<!doctype html><table>\n" + "".join(LINE.format(**row) for row in ROWS[:230])
LIST = json.dumps(ROWS)
# The URLconf of the second table.
urlpatterns = [
    path("page", lambda request: HttpResponse(TABLE)),
    path("json", lambda request: HttpResponse(LIST, "application/json")),
]


def get(kind: str, url: str, encoding: str) -> dict[str, Any]:
    """Return an event for this URL and Accept-Encoding."""
    event = load_event(kind, rawPath=url)
    event["headers"] |= {"accept-encoding": encoding}
    if "multiValueHeaders" in event:
        event["multiValueHeaders"] |= {"accept-encoding": [encoding]}
    return event


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
            event = get(kind, "/", "identity")
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
    compression(make_handler(application))


def compression(handler: Any) -> None:
    print(f"\n{'':20}{'bytes':>10}{'gzip':>10}{'without':>13}{'added':>11}")
    for name, url, times in (
        ("Django's page", "/", 20),
        ("page with a table", "/page", 20),
        ("1 MB of JSON", "/json", 1),
    ):
        if url != "/":
            settings.ROOT_URLCONF = "benchmarks.gateway"
        plain = get("http_default", url, "identity")
        packed = get("http_default", url, "gzip, br")
        sizes = [body_bytes(handler(event, CONTEXT)) for event in (plain, packed)]
        without, added = [], []
        for _ in range(ROUNDS // 4):
            without.append(seconds(handler, plain, times))
            added.append(seconds(handler, packed, times) - without[-1])
        costs = (f"{median(cost) * 1e6:,.0f} us" for cost in (without, added))
        print(f"{name:20}" + "{:>10,}{:>10,}{:>13}{:>11}".format(*sizes, *costs))


def body_bytes(result: dict[str, Any]) -> int:
    body: str = result["body"]
    if result["isBase64Encoded"]:
        return len(base64.b64decode(body))
    return len(body.encode())


if __name__ == "__main__":
    main()
