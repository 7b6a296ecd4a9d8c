"""A function with this project's handler, whose application prints what it does."""

import os
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

from functools import wraps  # noqa: E402

from apps.aws_lambda.handlers import make_handler  # noqa: E402
from apps.aws_lambda.lifecycle import before_freeze  # noqa: E402


class Body:
    def __init__(self, chunks, query):
        self.chunks, self.query = chunks, query

    def __iter__(self):
        return iter(self.chunks)

    def close(self):
        print("closed")
        if "fail" in self.query:
            raise ValueError("in close")
        if "exit" in self.query:
            sys.exit(3)
        if "hang" in self.query:
            time.sleep(60)


def application(environ, start_response):
    query = environ["QUERY_STRING"]
    if "raise" in query:
        raise ValueError("in the application")
    if "file" in query:
        start_response("200 OK", [("Content-Type", "application/octet-stream")])
        return environ["wsgi.file_wrapper"](open(os.environ["FILE"], "rb"), 4096)
    if "echo" in query:
        body = environ["wsgi.input"].read()
        start_response("200 OK", [("Content-Type", "application/octet-stream")])
        return Body([str(len(body)).encode(), body], query)
    start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
    return Body([b"hello"], query)


def froze(**kwargs):
    print("before_freeze")


before_freeze.connect(froze)
handle = make_handler(application)


@wraps(handle)
def wrapped(event, context):
    """Add a header, as an observability layer would."""
    result = handle(event, context)
    result["headers"]["x-wrapped"] = "1"
    return result
