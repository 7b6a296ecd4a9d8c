"""Show what a remote command writes while it writes it, out of CloudWatch's logs."""

import json
import time
from collections.abc import Callable
from threading import Event, Lock, Thread
from typing import Any

# Seconds between two looks. An account may look 10 times per second.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
INTERVAL = 1.0
# Seconds for which the log may lag behind the result.
LAG = 20
# Seconds by which our clock may be ahead of theirs.
SKEW = 300


class Follower:
    """
    Write each line of one run once and in order, until ``finish``.

    The lines are found by the run's token and carry their number. One that comes
    before its predecessor waits for it. If the log cannot be read, that is said by
    ``complain``, and all comes with the result.
    """

    def __init__(
        self,
        logs: Any,
        log_group: str,
        token: str,
        write: Callable[[str], None],
        complain: Callable[[str], None],
    ) -> None:
        self.logs = logs
        self.log_group = log_group
        self.token = token
        self.write = write
        self.complain = complain
        self.written = 0
        self._waiting: dict[int, tuple[int, str]] = {}
        self._since = int((time.time() - SKEW) * 1000)
        self._stop = Event()
        self._readable = True
        self._lock = Lock()
        self._thread = Thread(target=self._follow, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Write nothing any more."""
        self._stop.set()
        with self._lock:
            self._readable = False

    def finish(self, result: dict[str, Any]) -> None:
        """Write what has not been written yet."""
        self._stop.set()
        self._thread.join()
        lines = result["output"].split("\n") if result["lines"] else []
        first, last = result["left_out"] or (len(lines) + 1, len(lines))
        if result["left_out"]:
            # These the log alone has.
            deadline = time.monotonic() + LAG
            while self._readable and self.written < last:
                if time.monotonic() > deadline:
                    break
                before = self.written
                self._look()
                if self.written > before:
                    deadline = time.monotonic() + LAG
                else:
                    time.sleep(INTERVAL / 5)
        for line in lines[self.written : first - 1]:
            self.write(line)
        if not result["left_out"]:
            return
        if self.written < last:
            self.write(lines[first - 1])
        for line in lines[first + max(self.written - last, 0) :]:
            self.write(line)

    def _follow(self) -> None:
        while self._readable and not self._stop.wait(INTERVAL):
            self._look()

    def _look(self) -> None:
        """Read the log from the last line on that was written."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            pages = self.logs.get_paginator("filter_log_events").paginate(
                logGroupName=self.log_group,
                startTime=self._since,
                filterPattern=f'"{self.token}"',
            )
            for page in pages:
                self._take(page["events"])
        except self.logs.exceptions.ResourceNotFoundException:
            # The group appears with its first line.
            return
        except (BotoCoreError, ClientError) as error:
            self._readable = False
            kind = type(error).__name__
            if isinstance(error, ClientError):
                kind = error.response["Error"]["Code"]
            self.complain(
                f"The log cannot be followed ({kind}): the output comes at the end. "
                f"It takes logs:FilterLogEvents on {self.log_group}."
            )

    def _take(self, events: list[dict[str, Any]]) -> None:
        for event in events:
            try:
                entry = json.loads(event["message"])
                number, line = entry["line"], entry["message"]
            except (ValueError, KeyError, TypeError):
                continue
            # The pattern finds the token anywhere.
            if entry.get("run") == self.token and number > self.written:
                self._waiting[number] = (event["timestamp"], line)
        with self._lock:
            while self._readable and self.written + 1 in self._waiting:
                self._since, line = self._waiting.pop(self.written + 1)
                self.written += 1
                self.write(line)
