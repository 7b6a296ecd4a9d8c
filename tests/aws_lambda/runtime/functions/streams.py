"""A function with this project's handler, whose application makes streams."""

import os
import resource
import sys
import time

import django
from django.conf import settings

settings.configure(
    ALLOWED_HOSTS=["*"],
    LOGGING_CONFIG=None,
    SECRET_KEY="only-for-tests",
    CACHES={"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}},
)
django.setup()

import logging  # noqa: E402

from apps.aws_lambda.handlers import make_handler  # noqa: E402
from apps.aws_lambda.invocation import invocation  # noqa: E402
from apps.aws_lambda.observability.formatters import JSONFormatter  # noqa: E402

printed = logging.StreamHandler(sys.stdout)
printed.setFormatter(JSONFormatter())
logging.getLogger("apps").addHandler(printed)
logging.getLogger("apps").setLevel("INFO")
logging.getLogger("apps").propagate = False

CHUNK = os.urandom(256 * 1024)


class Body:
    """A stream, as a web server sees Django's."""

    streaming = True

    def __init__(self, chunks):
        self.chunks = chunks

    def __iter__(self):
        return self.chunks

    def close(self):
        print("closed")
        if hasattr(self.chunks, "close"):
            self.chunks.close()


def ticks():
    for number in range(3):
        print(f"made {number}", flush=True)
        yield f"data: {number}\n\n".encode()


def fails():
    yield b"first"
    raise ValueError("a secret of the application")


def fails_at_once():
    yield from [][1]


def hangs():
    yield b"first"
    time.sleep(60)


def hides():
    yield b"first"
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        yield b"hidden"
    yield b"more"


def jumps(seconds):
    """Change the clock between two chunks, as a synchronisation of it does."""
    now = time.time
    try:
        yield b"before"
        time.time = lambda: now() + seconds
        yield b"after"
    finally:
        time.time = now


def jumps_forward():
    return jumps(3600)


def jumps_back():
    return jumps(-3600)


def dies():
    yield b"first"
    os._exit(3)


def hurries():
    while True:
        yield b"chunk"


def floods():
    while True:
        yield CHUNK


def large():
    for _ in range(int(os.environ.get("CHUNKS", "40"))):
        yield CHUNK
    print(f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}")


MADE = {
    function.__name__: function
    for function in (
        ticks,
        fails,
        fails_at_once,
        dies,
        hangs,
        hides,
        hurries,
        jumps_back,
        jumps_forward,
        floods,
        large,
    )
}


def application(environ, start_response):
    name, _, length = environ["QUERY_STRING"].partition("=")
    headers = [("Content-Type", "text/event-stream")]
    if length:
        headers.append(("Content-Length", length))
    status = "304 Not Modified" if name == "unmodified" else "200 OK"
    start_response(status, headers)
    if name == "file":
        return environ["wsgi.file_wrapper"](open(os.environ["FILE"], "rb"), 4096)
    if name in MADE:
        return Body(MADE[name]())
    body = Body(iter([b"hello"]))
    body.streaming = name == "unmodified"
    return body


handle = make_handler(application, streaming=True)
# There is time for what follows the deadline, even if the machine is busy.
early = make_handler(application, streaming=True, deadline_margin=5)


def bare(event, context):
    """Call it as AWS's client does."""
    return handle(event, context)


__all__ = ["bare", "early", "handle", "invocation"]
