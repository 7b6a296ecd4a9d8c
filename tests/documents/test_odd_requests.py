"""
Requests that no client means, and none of which is an error of the server.

By hand: schemathesis makes requests of a document, and these are of none.
"""

import json
from base64 import b64encode
from itertools import product
from typing import Any

import pytest
from django.db import transaction
from rest_framework.authtoken.models import Token

from apps.aws_lambda.test import LambdaClient
from tests.documents.test_api import SHAPE

METHODS = (
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "PATCH",
    "OPTIONS",
    "TRACE",
    "PROPFIND",
    "QUERY",
)
PATHS = (
    "documents",
    "documents/{id}",
    "documents/{id}/file",
    "documents/0",
    "documents/-1",
    "documents/" + "9" * 40,
    "documents/" + "9" * 5000,
    "documents/%00",
    "documents/%FF",
    "documents/",
    "uploads",
    "uploads/{token}",
    "uploads/{token}/sign",
    "uploads/{token}/finish",
    "uploads/%00",
    "uploads/%FF/sign",
    "uploads/%ED%A0%80/finish",
    "openapi.json",
    "",
)
WITH_A_BODY = ("documents", "documents/{id}", "uploads", "uploads/{token}/sign")
# What a cursor has, in base64.
CURSORS = (
    b"p=nonsense",
    b"p=%00",
    b"p=2026-01-01&r=1",
    b"p=2026-13-45",
    b"p=99999-01-01",
    b"p=%ED%A0%80",
    b"o=5&p=",
    b"o=-1",
    b"o=999999999999",
    b"\xff\xfe",
)
QUERIES = (
    *(f"cursor={b64encode(cursor).decode()}" for cursor in CURSORS),
    "cursor=%00",
    "cursor=%FF",
    "page_size=-1",
    "page_size=" + "9" * 5000,
    "page_size=%00",
    "format=xml",
)
DOCUMENTS = (
    b"",
    b"{}",
    b"null",
    b"NaN",
    b"1e999",
    b"\xff\xfe",
    b"[" * 100_000,
    b'{"a":' * 5000,
    b'{"size": ' + b"9" * 5000 + b"}",
    b'{"size": true, "name": [], "title": {}, "note": 1.5, "parts": []}',
    b'{"size": 1e400, "name": "x", "title": 1e400, "parts": {"99999": "x"}}',
    b'{"title": "\\ud800", "name": "\\ud800", "size": 1, "upload": "\\ud800",'
    b' "parts": {"\\ud800": "\\ud800"}}',
    b'{"title": "\\u0000", "name": "\\u0000", "size": 1, "upload": "\\u0000",'
    b' "parts": {"1": "\\u0000"}}',
    *(
        json.dumps({"name": name, "size": 17_000_000}).encode()
        for name in ("..", "../../x", "/", "a/" * 100, "x\r\n.txt", "\U0001f600" * 255)
    ),
    b'{"name": "x", "size": 5000000000000000}',
    b'{"title": "%s"}' % (b"x" * 3_000_000),
)
PART = (
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="%s"\r\n\r\n'
    b"abc\r\n--x--\r\n"
)
FIELD = b'--x\r\nContent-Disposition: form-data; name="%d"\r\n\r\nx\r\n'
FORMS = (
    b"",
    b"--x",
    PART[:60],
    *(
        PART % name
        for name in (b"", b"..", b"\xff\0", b"&#0;", b"&#xD800;.txt", b"a" * 3000)
    ),
    PART.replace(b"\r\n\r\nabc", b"\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!"),
    b"".join(FIELD % n for n in range(1200)) + b"--x--\r\n",
)
CHARSETS = ("hex", "rot13", "zlib", "idna", "undefined", "utf-16", "none", "\xff", "")
TYPES = (
    "",
    "/",
    "*/*",
    "json",
    "text/plain",
    "application/xml",
    "application/x-www-form-urlencoded",
    "application/json; =",
    "application/json; a*=c''d",
    "application/json; charset*=utf-8''%ff",
    "multipart/form-data",
    "multipart/form-data; boundary=",
    "multipart/form-data; boundary=\xff",
    "multipart/form-data; boundary=x; charset=hex",
    *(f"application/json; charset={charset}" for charset in CHARSETS),
)
HEADERS = (
    *(
        {"Accept": value}
        for value in (
            "text/html",
            "application/xml",
            "\xff",
            "application/json; indent=99999999",
            "application/json; indent=-1",
            "application/json; q=x;;;",
        )
    ),
    *(
        {"Authorization": value}
        for value in ("Bearer", "Bearer a b", "Bearer \xff", "Basic eDp5", "a" * 5000)
    ),
    {"Cookie": "sessionid=%00; \xff=\xff"},
    {"X-HTTP-Method-Override": "DELETE"},
    {"Accept-Language": "\x01"},
    {"Range": "bytes=5-1"},
    {"If-Modified-Since": "x"},
    {"Content-Encoding": "gzip"},
    {"Transfer-Encoding": "chunked"},
)
JSON = "application/json"
FORM = "multipart/form-data; boundary=x"
# Method, path, query, type, body, headers.
REQUESTS = (
    *product(METHODS, PATHS, [""], [""], [b""], [{}]),
    *product(["GET", "HEAD", "OPTIONS"], PATHS[:4], QUERIES, [""], [b""], [{}]),
    *product(["POST", "PATCH"], WITH_A_BODY, [""], [JSON], DOCUMENTS, [{}]),
    *product(["POST", "PATCH"], WITH_A_BODY, [""], [FORM], FORMS, [{}]),
    *product(["POST", "PATCH"], WITH_A_BODY, [""], TYPES, [b"{}"], [{}]),
    *product(["GET", "POST"], WITH_A_BODY, [""], [JSON], [b"{}"], HEADERS),
)


@pytest.mark.nightly("a thousand requests that no client means")
def test_no_request_is_an_error_of_the_server(aws, ann: Any, add: Any):
    token = Token.objects.create(user=ann)
    authorization = {"Authorization": f"Bearer {token.key}"}
    client = LambdaClient("function_url", raise_request_exception=False)
    body = {"name": "a", "size": 1}
    started = client.post("/api/uploads", body, JSON, headers=authorization)
    names = {"id": add(ann).pk, "token": started.json()["token"]}
    wrong = []
    for method, path, query, kind, content, headers in REQUESTS:
        with transaction.atomic():
            response = client.generic(
                method,
                f"/api/{path.format(**names)}",
                content,
                kind,
                QUERY_STRING=query,
                headers=authorization | headers,
            )
            transaction.set_rollback(True)
        if not is_documented(response, method):
            what = (method, path[:60], query[:60], kind, content[:60], headers)
            wrong.append((what, response.status_code, response.content[:200]))
    assert not wrong
    assert len(REQUESTS) > 900


def is_documented(response: Any, method: str) -> bool:
    """Return whether it has succeeded, or has the shape of an error of the site."""
    if response.status_code < 400:
        return True
    if response.status_code >= 500:
        return False
    return method == "HEAD" or set(response.json()) >= SHAPE
