"""
One command at a time changes a stage: a lock in its deployment bucket.

S3 writes an object only if it does not exist, or only if it is unchanged.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
"""

import getpass
import json
import os
import socket
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Any, NamedTuple, Self

from botocore.exceptions import BotoCoreError, ClientError

from ..report import DeployError, write_error
from .errors import NotFound, Refused, errors_of_aws
from .stage import Stage

# A command that has not renewed its lock for so long was killed, or lost its network.
VALID_SECONDS = 180.0
RENEW_SECONDS = 30.0
TAKEN = {"ConditionalRequestConflict", "NoSuchKey", "PreconditionFailed"}


class Place(NamedTuple):
    """The object that is the lock."""

    bucket: str
    key: str

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


class StageLock:
    """
    The lock of a stage, for a command such as "deploy"; a context manager.

    A thread renews it. A lock that was not renewed for VALID_SECONDS is taken over, and
    at once that of a process of this machine which was killed.
    Before the first deployment there is no bucket: ``take`` it as soon as there is.
    """

    def __init__(self, stage: Stage, name: str) -> None:
        self.stage = stage
        self.name = name
        self._place: Place | None = None
        # Of the object that this command has written, or "" without one.
        self._etag = ""
        self._renewed = 0.0
        self._writing = Lock()
        self._ended = Event()

    def __enter__(self) -> Self:
        self.take()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        with self._writing:
            if self._place and self.is_held:
                self._release(self._place, is_reported=error is not None)
            self._etag = ""

    @property
    def is_held(self) -> bool:
        return bool(self._etag) and time.monotonic() - self._renewed < VALID_SECONDS

    def take(self) -> None:
        """
        Take the lock, unless this command has it or there is no bucket yet.

        Raises DeployError if another command has it.
        """
        if self._etag:
            return
        self._place = place(self.stage)
        if not self._place:
            return
        self._s3 = self.stage.client("s3")
        self._owner = {
            "command": self.name,
            "user": user(),
            "host": socket.gethostname(),
            "machine": uuid.getnode(),
            "process": os.getpid(),
            "since": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        with errors_of_aws(f"s3 put_object {self._place}"):
            self._take(self._place)
        Thread(target=self._keep, args=(self._place,), daemon=True).start()

    def check(self) -> None:
        """Raise DeployError if another command may have taken the lock over."""
        if self._place and not self.is_held:
            raise DeployError(
                f"This command has lost the lock of the stage, {self._place}: it could "
                f"not renew it for {VALID_SECONDS:.0f} s, so that another one may have "
                "started.",
                advice=self.stage.command("info"),
            )

    def holder(self) -> str:
        """Return a sentence about the command that has the lock, or ""."""
        lock = place(self.stage)
        if not lock:
            return ""
        self._s3 = self.stage.client("s3")
        try:
            with errors_of_aws(f"s3 get_object {lock}"):
                owner, _, age = self._read(lock)
        except Refused:
            # Who may not list the bucket may not know that there is none.
            return ""
        if not owner:
            return ""
        if age >= VALID_SECONDS:
            return f"{owner} was killed, or lost its network or its session"
        return f"{owner} is changing stage {self.stage.name}"

    def _release(self, lock: Place, *, is_reported: bool) -> None:
        """Delete the lock, or report that it stays until it expires."""
        try:
            with errors_of_aws("s3 delete_object"):
                self._s3.delete_object(Bucket=lock.bucket, Key=lock.key)
        except DeployError as error:
            sentence = (
                f"The lock of the stage, {lock}, could not be deleted. It is void on "
                "this machine when this command has ended, and on others within "
                f"{VALID_SECONDS:.0f} s."
            )
            self.stage.progress.facts["lock"] = sentence
            if not is_reported:
                write_error(f"{error}\n{sentence}")

    def _take(self, lock: Place) -> None:
        try:
            self._write(lock, IfNoneMatch="*")
            return
        except ClientError as error:
            if code(error) not in TAKEN:
                raise
        owner, etag, age = self._read(lock)
        if age < VALID_SECONDS:
            raise DeployError(
                f"{owner} is changing stage {self.stage.name}. Its lock, {lock}, was "
                f"renewed {age:.0f} s ago.",
                advice="wait until it has ended. If it was killed, its lock is void in "
                f"{VALID_SECONDS - age:.0f} s.",
            )
        try:
            self._write(lock, **({"IfMatch": etag} if etag else {"IfNoneMatch": "*"}))
        except ClientError as error:
            if code(error) not in TAKEN:
                raise
            raise DeployError(
                f"Another command has just taken the lock of the stage, {lock}.",
                advice="wait until it has ended.",
            ) from None

    def _read(self, lock: Place) -> tuple[str, str, float]:
        """Return the owner of the lock, its ETag, and how many seconds old it is."""
        try:
            answer = self._s3.get_object(Bucket=lock.bucket, Key=lock.key)
        except ClientError as error:
            if code(error) != "NoSuchKey":
                raise
            # It has just been released.
            return "", "", VALID_SECONDS
        # Both times are those of S3: the clocks of two machines may differ.
        headers = answer["ResponseMetadata"]["HTTPHeaders"]
        age = parsedate_to_datetime(headers["date"]) - answer["LastModified"]
        try:
            found = json.loads(answer["Body"].read())
            owner = "{user} on {host} ({command}, since {since})".format(**found)
            killed = was_killed(found)
        except (KeyError, TypeError, ValueError):
            # Of another version of this program.
            owner, killed = "Another command", False
        seconds = VALID_SECONDS if killed else max(age.total_seconds(), 0)
        return owner, answer["ETag"], seconds

    def _write(self, lock: Place, **condition: str) -> None:
        # ETags of equal texts are equal.
        text = json.dumps({**self._owner, "written": time.time_ns()}).encode()
        try:
            self._etag = self._s3.put_object(
                Bucket=lock.bucket,
                Key=lock.key,
                Body=text,
                ContentType="application/json",
                **condition,
            )["ETag"]
        except ClientError as error:
            if code(error) not in TAKEN or not self._has_written(lock, text):
                raise
        self._renewed = time.monotonic()

    def _has_written(self, lock: Place, text: bytes) -> bool:
        """Return whether the lock has this text: the response to the write was lost."""
        # boto3 has repeated the call, which S3 had executed.
        try:
            answer = self._s3.get_object(Bucket=lock.bucket, Key=lock.key)
        except ClientError:
            return False
        if answer["Body"].read() != text:
            return False
        self._etag = answer["ETag"]
        return True

    def _keep(self, lock: Place) -> None:
        while not self._ended.wait(RENEW_SECONDS):
            with self._writing:
                if self._ended.is_set():
                    return
                try:
                    self._write(lock, IfMatch=self._etag)
                except ClientError as error:
                    if code(error) in TAKEN:
                        self._etag = ""
                        return
                except BotoCoreError:
                    # Once more, until it expires.
                    continue


def place(stage: Stage) -> Place | None:
    """Return where the lock of a stage is, or None before the first deployment."""
    provider: dict[str, Any] = stage.configuration["provider"]
    bucket = provider.get("deploymentBucket") or ""
    if isinstance(bucket, dict):
        bucket = bucket.get("name", "")
    if not bucket:
        with suppress(NotFound):
            bucket = stage.outputs().get("ServerlessDeploymentBucketName", "")
    if not bucket:
        return None
    # The Serverless CLI empties this folder before it removes the stage.
    prefix = provider.get("deploymentPrefix") or "serverless"
    service = stage.configuration["service"]
    return Place(bucket, f"{prefix}/{service}/{stage.name}/release-lock.json")


def was_killed(owner: Mapping[str, Any]) -> bool:
    """Return whether the owner of a lock is a process of this machine that ended."""
    here = (socket.gethostname(), uuid.getnode())
    if (owner.get("host"), owner.get("machine")) != here:
        return False
    try:
        os.kill(owner["process"], 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    return False


def user() -> str:
    # There may be none in a container.
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "a user without a name"


def code(error: ClientError) -> str:
    return str(error.response["Error"]["Code"])
