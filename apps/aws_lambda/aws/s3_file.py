"""A file in a bucket, read in blocks and not all at once."""

import io
import os
from collections.abc import Buffer

from .s3 import Bucket

# What is in memory of a file, twice while it is received.
BLOCK_BYTES = 8 * 1024 * 1024


class ObjectReader(io.RawIOBase):
    """
    An object of S3 as a file that can seek: each read is a request for a range.

    Raises FileNotFoundError if there is no such object, and AwsError as Bucket does,
    with the code "PreconditionFailed" if the object is replaced while it is read.
    """

    def __init__(self, bucket: Bucket, key: str) -> None:
        headers = bucket.head(key)
        if headers is None:
            raise FileNotFoundError(f"There is no file {key} in {bucket.name}")
        self._bucket, self._key = bucket, key
        self._etag = headers["etag"]
        self._bytes = int(headers["content-length"])
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._bytes}
        position = start[whence] + offset
        if position < 0:
            raise ValueError(f"negative seek position {position}")
        self._position = position
        return position

    def readinto(self, buffer: Buffer) -> int:
        view = memoryview(buffer).cast("B")
        end = min(self._position + len(view), self._bytes)
        if self._position >= end:
            return 0
        wanted = {
            "range": f"bytes={self._position}-{end - 1}",
            "if-match": self._etag,
        }
        body = self._bucket.call("GET", self._key, headers=wanted).body
        view[: len(body)] = body
        self._position += len(body)
        return len(body)


def open_object(bucket: Bucket, key: str) -> io.BufferedReader:
    """Return the object as a file, of which one block is in memory."""
    return io.BufferedReader(ObjectReader(bucket, key), BLOCK_BYTES)
