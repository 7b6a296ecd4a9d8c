"""A file in parts: sent, listed, completed or cancelled."""

import re
from collections.abc import Iterator

from ...aws import multipart
from ...aws.http import AwsError, Response
from ...aws.multipart import Part, PartOf
from .files import HEADERS, compare_headers, describe
from .finding import OK, PROBLEM, UNKNOWN, Finding, ask, compare, refusal
from .target import LINK_SECONDS, Target, digest

# All parts but the last have at least 5 MiB.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
FIRST = b"first " * (5 * 1024 * 1024 // 6 + 1)
LAST = b"last\n"
# As many bytes.
OTHER = LAST.swapcase()


class Upload:
    """An upload in parts that has begun. Raises AwsError if it does not begin."""

    def __init__(self, target: Target, name: str) -> None:
        self.target = target
        self.name = name
        self.key = target.key(name)
        self.id = multipart.create(target.bucket, self.key, HEADERS)

    def put(
        self, number: int, part: bytes, body: bytes | None = None, instead: int = 0
    ) -> Response:
        """Send a part, or another body or for another number than was signed."""
        signed = multipart.signed_part(
            self.target.bucket,
            PartOf(self.key, self.id, number),
            LINK_SECONDS,
            len(part),
            digest(part),
        )
        if instead:
            url = re.sub(r"(?<=partNumber=)\d+", str(instead), signed.url)
            signed = signed._replace(url=url)
        return self.target.put(signed, part if body is None else body)

    def parts(self) -> list[Part]:
        return multipart.parts(self.target.bucket, self.key, self.id)

    def complete(self, size: int) -> None:
        multipart.complete(self.target.bucket, self.key, self.id, self.parts(), size)


def try_parts(target: Target) -> Iterator[Finding]:
    """Yield what is found of uploads in parts; nothing more if none can begin."""
    try:
        upload = Upload(target, "parts.txt")
    except AwsError as error:
        state = PROBLEM if error.code else UNKNOWN
        yield Finding("upload in parts", state, "the ID of an upload", str(error))
        return
    first = ask("a part", 200, lambda: upload.put(1, FIRST))
    yield first
    if first.state != OK:
        return
    yield ask("the last part", 200, lambda: upload.put(2, LAST))
    yield from try_completion(upload)
    yield ask("a part after the end", 404, lambda: upload.put(3, LAST))
    yield from try_refused_parts(Upload(target, "refused.txt"))
    yield from try_refused_ends(target, upload)
    yield from try_cancel(Upload(target, "cancelled.txt"))


def try_completion(upload: Upload) -> Iterator[Finding]:
    """Yield whether the parts are listed, and the object has their checksum."""
    sent = [
        Part(number, len(part), "", digest(part))
        for number, part in enumerate((FIRST, LAST), 1)
    ]
    size = sum(part.size for part in sent)
    expected = "2 parts with size and SHA-256"
    try:
        listed = [part._replace(etag="") for part in upload.parts()]
        found = ", ".join(
            f"part {part.number}: {part.size} bytes, SHA-256 {part.sha256 or 'missing'}"
            for part in listed
        )
        yield compare("list of parts", expected, expected if listed == sent else found)
        upload.complete(size)
    except AwsError as error:
        yield Finding("the end", PROBLEM, "an object", str(error))
        return
    headers = {
        "content-length": str(size),
        **HEADERS,
        "x-amz-checksum-sha256": multipart.checksum(sent),
    }
    yield compare_headers("the end", headers, describe(upload.target, upload.key))


def try_refused_parts(upload: Upload) -> Iterator[Finding]:
    """Yield whether a part must be the one that was signed."""
    yield ask("a part of another content", 400, lambda: upload.put(1, LAST, OTHER))
    longer = LAST + b"x"
    yield ask("a part of another length", 403, lambda: upload.put(1, LAST, longer))
    yield ask("a part of another number", 403, lambda: upload.put(1, LAST, instead=2))
    yield compare(
        "parts of what is refused", "parts: 0", f"parts: {len(upload.parts())}"
    )


def try_refused_ends(target: Target, done: Upload) -> Iterator[Finding]:
    """Yield whether an object must be as announced, and replaces no other one."""
    resized = Upload(target, "resized.txt")
    resized.put(1, LAST)
    yield refusal(
        "the end with another size",
        "InvalidRequest",
        lambda: resized.complete(len(LAST) + 1),
    )
    second = Upload(target, done.name)
    second.put(1, LAST)
    yield refusal(
        "the end over another file",
        "PreconditionFailed",
        lambda: second.complete(len(LAST)),
    )
    small = Upload(target, "small.txt")
    for number in (1, 2):
        small.put(number, LAST)
    yield refusal(
        "a small part before the last",
        "EntityTooSmall",
        lambda: small.complete(2 * len(LAST)),
    )


def try_cancel(upload: Upload) -> Iterator[Finding]:
    """Yield whether nothing of an upload is left when it is cancelled."""
    upload.put(1, LAST)
    multipart.abort(upload.target.bucket, upload.key, upload.id)
    yield refusal("parts after cancelling", "NoSuchUpload", upload.parts)
    yield ask("a part after cancelling", 404, lambda: upload.put(1, LAST))
