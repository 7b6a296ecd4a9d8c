"""Keep the files of a local bucket on disk: moto has them in memory only."""

import json
import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.s3.models import FakeBucket, FakeKey, s3_backends


class Kept(NamedTuple):
    """A file on disk, and the object of moto that it has the content of."""

    file: str
    key: FakeKey


class KeptBucket:
    """
    A bucket of moto whose objects are files in ``folder``.

    An index beside the folder, NAME.json, has the key, the ETag and the headers of
    each: Content-Type, Content-Disposition, x-amz-meta-* and others.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder / name
        self.index = folder / f"{name}.json"
        self.bucket: FakeBucket = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets[name]
        self.kept: dict[str, Kept] = {}
        self.folder.mkdir(parents=True, exist_ok=True)
        self.load()

    def load(self) -> None:
        """Give the bucket the files of an earlier run."""
        backend = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
        index = json.loads(self.index.read_text()) if self.index.is_file() else {}
        for name, entry in index.items():
            path = self.folder / entry["file"]
            if path.is_file():
                key = backend.put_object(
                    self.bucket.name, name, b"", etag=entry["etag"]
                )
                key.set_metadata(dict(entry["headers"]), replace=True)
                read_from(path, key)
                self.kept[name] = Kept(entry["file"], key)

    def save(self) -> None:
        """
        Write what has changed since the last call, and remove what was deleted.

        It compares moto's objects, so that it does not matter how one was made: by PUT,
        by a form, in parts or as a copy. An object that is replaced is another one.
        """
        now = {name: self.bucket.keys[name] for name in [*self.bucket.keys]}
        changed = {n: key for n, key in now.items() if self.key(n) is not key}
        deleted = [name for name in self.kept if name not in now]
        if not changed and not deleted:
            return
        unused = {self.kept[name].file for name in deleted}
        for name, key in changed.items():
            file = file_name(name)
            path = self.folder / file
            replace(path, key.value)
            read_from(path, key)
            self.kept[name] = Kept(file, key)
        replace(self.index, json.dumps(self.entries(), indent=1).encode())
        for file in unused:
            (self.folder / file).unlink(missing_ok=True)

    def key(self, name: str) -> FakeKey | None:
        return self.kept[name].key if name in self.kept else None

    def entries(self) -> Mapping[str, Any]:
        # Without the deleted ones.
        self.kept = {n: kept for n, kept in self.kept.items() if n in self.bucket.keys}
        return {
            name: {
                "file": file,
                # That of an upload in parts cannot be computed from its content.
                "etag": key.etag.strip('"'),
                "headers": dict(key.metadata),
            }
            for name, (file, key) in self.kept.items()
        }


def file_name(key: str) -> str:
    """
    Return the name of the file for a key.

    A key may be longer than a path, differ in case only, or have "..": so its digest
    is in the name, before a part that is to be read.
    """
    readable = re.sub(r"[^\w.-]", "_", key.rpartition("/")[2], flags=re.ASCII)[-80:]
    return f"{sha256(key.encode()).hexdigest()[:24]}-{readable}"


def replace(path: Path, content: bytes) -> None:
    part = path.with_name(f"{path.name}.part")
    part.write_bytes(content)
    os.replace(part, path)


def read_from(path: Path, key: FakeKey) -> None:
    """Have moto read the content of an object from a file, and free its memory."""
    key.etag  # noqa: B018 (moto computes it once, from the content)
    key._value_buffer.close()
    key._value_buffer = OnDisk(path)  # type: ignore[assignment]
    status = path.stat()
    key.contentsize = status.st_size
    # moto's times are in UTC, and have no time zone.
    key.last_modified = datetime.fromtimestamp(status.st_mtime, UTC).replace(
        tzinfo=None
    )


class OnDisk:
    """What moto uses of the buffer of an object."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def seek(self, position: int) -> None:
        """Do nothing: moto reads all of it."""

    def read(self) -> bytes:
        return self.path.read_bytes()

    def close(self) -> None:
        """Do nothing: no file is open."""
