"""
A file in one request, and its download.

Each refusal changes one thing of a request that S3 has accepted before. It has a key of
its own, so that an object that is stored nevertheless is in no other's way.
"""

import re
from collections.abc import Iterator, Mapping
from functools import partial

from django.utils.http import content_disposition_header

from ...aws.http import AwsError, Response
from ...aws.s3 import SignedUpload
from .finding import OK, PROBLEM, UNKNOWN, Finding, ask, compare
from .pages import is_readable
from .target import LINK_SECONDS, Target, digest

BODY = b"A file of one request.\n"
# As many bytes.
OTHER = BODY.swapcase()
HEADERS = {"content-type": "text/plain", "content-disposition": "attachment"}
NAME = "Straße 東京.txt"
ENCRYPTED = ("AES256", "aws:kms", "aws:kms:dsse")
# What is refused is stored nowhere below it.
REFUSED = "refused/"


def try_files(target: Target) -> Iterator[Finding]:
    """Yield what is found of uploads and downloads; nothing more if S3 refuses all."""
    key = target.key("file.txt")
    signed = sign(target, key)
    answers: list[Response] = []

    def put() -> Response:
        answers.append(target.put(signed, BODY))
        return answers[-1]

    accepted = ask("signed upload", 200, put)
    yield accepted
    if accepted.state != OK:
        return
    readable = is_readable(answers[0], target.origin)
    expected = f"readable for {target.origin}"
    yield compare("its answer", expected, expected if readable else "not readable")
    yield from try_object(target, key)
    yield from try_refusals(target)
    yield ask("the same link again", 412, lambda: target.put(signed, BODY))
    other = target.bucket.signed_upload(
        key, LINK_SECONDS, len(OTHER), digest(OTHER), HEADERS
    )
    yield ask("another file of this name", 412, lambda: target.put(other, OTHER))
    yield from try_downloads(target, key)


def sign(target: Target, key: str) -> SignedUpload:
    """Return the request that a page gets for the file."""
    return target.bucket.signed_upload(
        key, LINK_SECONDS, len(BODY), digest(BODY), HEADERS
    )


def try_object(target: Target, key: str) -> Iterator[Finding]:
    """Yield whether the object is what was signed, and encrypted."""
    sent = {
        "content-length": str(len(BODY)),
        **HEADERS,
        "x-amz-checksum-sha256": digest(BODY),
    }
    found = describe(target, key)
    yield compare_headers("stored object", sent, found)
    if not isinstance(found, str):
        encryption = found.get("x-amz-server-side-encryption", "none")
        state = OK if encryption in ENCRYPTED else PROBLEM
        yield Finding("encryption", state, "AES256 or aws:kms", encryption)


def describe(target: Target, key: str) -> dict[str, str] | str:
    """Return the headers of an object, or why there are none."""
    try:
        return target.bucket.head(key, checksums=True) or "no object"
    except AwsError as error:
        return str(error)


def compare_headers(
    item: str, sent: Mapping[str, str], found: Mapping[str, str] | str
) -> Finding:
    """Return whether an object has the headers."""
    expected = "length, type, disposition and SHA-256 as signed"
    if isinstance(found, str):
        return Finding(item, PROBLEM, expected, found)
    wrong = [
        f"{name} {found.get(name, 'missing')}"
        for name, value in sent.items()
        if found.get(name) != value
    ]
    return compare(item, expected, ", ".join(wrong) or expected)


def try_refusals(target: Target) -> Iterator[Finding]:
    """Yield whether S3 refuses each request that is not what was signed."""

    def signed(item: str) -> SignedUpload:
        return sign(target, target.key(f"{REFUSED}{item.replace(' ', '-')}"))

    content: list[tuple[str, int, bytes, dict[str, str | None]]] = [
        ("another content", 400, OTHER, {}),
        ("another length", 403, BODY + b"x", {}),
        ("another type", 403, BODY, {"content_type": "text/html"}),
        ("another disposition", 403, BODY, {"content_disposition": "inline"}),
        ("another checksum", 403, OTHER, {"x_amz_checksum_sha256": digest(OTHER)}),
        ("a header left out", 403, BODY, {"if_none_match": None}),
        ("a header that is not signed", 403, BODY, {"x_amz_meta_note": "added"}),
    ]
    for item, status, body, changed in content:
        yield ask(item, status, partial(target.put, signed(item), body, **changed))
    for item, pattern, instead in (
        ("another key", "refused/another-key", "refused/yet-another-key"),
        ("an altered signature", r"(?<=X-Amz-Signature=).", altered),
        ("a longer validity", r"(?<=X-Amz-Expires=)\d+", "86400"),
        ("no signature", r"\?.*", ""),
    ):
        request = signed(item)
        changed_url = re.sub(pattern, instead, request.url)
        send = partial(target.put, request._replace(url=changed_url), BODY)
        yield ask(item, 403, send)
    request = signed("another method")
    yield ask("another method", 403, lambda: target.send("DELETE", request.url))
    late = target.expired.signed_upload(
        target.key(f"{REFUSED}late"), LINK_SECONDS, len(BODY), digest(BODY), HEADERS
    )
    yield ask("an expired link", 403, lambda: target.put(late, BODY))
    count = len(target.stored(REFUSED))
    yield compare("stored of what is refused", "objects: 0", f"objects: {count}")


def altered(match: re.Match[str]) -> str:
    return "1" if match[0] == "0" else "0"


def try_downloads(target: Target, key: str) -> Iterator[Finding]:
    """Yield whether the file is read by the signed link only, with its own name."""
    disposition = str(content_disposition_header(as_attachment=True, filename=NAME))
    parameters = {"response-content-disposition": disposition}
    link = target.bucket.link(key, LINK_SECONDS, parameters=parameters)
    try:
        response = target.send("GET", link)
    except AwsError as error:
        yield Finding("download", UNKNOWN, "the first bytes", str(error))
        return
    found = f"{len(response.body)} bytes with status {response.status}"
    yield compare(
        "download",
        "the first bytes",
        "the first bytes" if response.body == BODY else found,
    )
    given = response.headers.get("content-disposition", "none")
    yield compare("its disposition", disposition, given)
    renamed = link.replace("attachment", "inline")
    late = target.expired.link(key, LINK_SECONDS, parameters=parameters)
    yield ask("a download of another name", 403, lambda: target.send("GET", renamed))
    yield ask("an expired download", 403, lambda: target.send("GET", late))
    url = link.partition("?")[0]
    yield ask("a download without link", 403, lambda: target.send("GET", url))
    root = url.removesuffix(key)
    yield ask("a list without link", 403, lambda: target.send("GET", root))
