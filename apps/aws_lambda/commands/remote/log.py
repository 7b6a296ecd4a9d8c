"""The output of a run, from the log of the function."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from .access import barrier, status_of

# By how much the clock of this machine may be ahead of CloudWatch's.
CLOCK_SKEW_SECONDS = 300

Write = Callable[[str], None]


class RemoteResult(NamedTuple):
    """
    What the manage function returned: see ``commands.manage.serve``.

    ``output`` is None if it is read from the log, which has each of the ``lines``.
    """

    exit_code: int
    output: str | None
    lines: int


@dataclass
class LogFollower:
    """
    Write each line of one run, once and in order, while CloudWatch receives them.

    Lines have the run's token and a number. They may arrive late and out of order;
    one that arrives before its predecessor waits for it. What the log has not
    delivered when the command ends is in its result, except for the first lines of an
    output that is larger than Lambda's response.
    """

    logs: Any
    log_group: str
    token: str
    log_command: str
    write: Write
    notify: Write
    written: int = 0
    # False once reading has failed.
    readable: bool = True
    # How the command ended, if the log has it.
    end: RemoteResult | None = None
    # Timestamps and lines that have been read and not been written, by number.
    _waiting: dict[int, tuple[int, str]] = field(default_factory=dict)
    _since_ms: int = field(
        default_factory=lambda: int((time.time() - CLOCK_SKEW_SECONDS) * 1000)
    )

    def show_new_lines(self) -> None:
        """Write what the log has. If it cannot be read, notify once and give up."""
        if not self.readable:
            return
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            pages = self.logs.get_paginator("filter_log_events").paginate(
                logGroupName=self.log_group,
                startTime=self._since_ms,
                filterPattern=f'"{self.token}"',
            )
            for page in pages:
                self._write_lines(page["events"])
        except (BotoCoreError, ClientError) as error:
            name = type(error).__name__
            if isinstance(error, ClientError):
                name = error.response["Error"]["Code"]
            # The first line of a function's log creates its group, and a failure of
            # AWS may be over at the next call.
            if name == "ResourceNotFoundException" or status_of(error) >= 500:
                return
            self.readable = False
            found = barrier(error)
            self.notify(
                f"Cannot read the log group {self.log_group} ({name}): the output is "
                "shown when the command ends. "
                + (
                    found.reason
                    if found
                    else "Your role needs logs:FilterLogEvents, see docs/commands.md."
                )
            )

    def show_rest(self, result: RemoteResult) -> None:
        """Write the lines that are not written yet; notify if some are missing."""
        kept = []
        if result.lines and result.output is not None:
            kept = result.output.split("\n")
        first = result.lines - len(kept) + 1
        if self.written + 1 < first:
            self.notify(
                f"Lines {self.written + 1:,} to {first - 1:,} of {result.lines:,} are "
                "not in Lambda's response, but only in the log group "
                f"{self.log_group}. To read the whole output, run:\n"
                f"  {self.log_command}"
            )
        for line in kept[max(self.written + 1 - first, 0) :]:
            self.write(line)

    def _write_lines(self, events: list[dict[str, Any]]) -> None:
        for event in events:
            try:
                entry = json.loads(event["message"])
                # The filter pattern matches the token anywhere in an event.
                if entry["run"] != self.token:
                    continue
                if "exit_code" in entry:
                    self.end = RemoteResult(entry["exit_code"], None, entry["lines"])
                else:
                    waiting = event["timestamp"], entry["message"]
                    self._waiting[entry["line"]] = waiting
            except (ValueError, KeyError, TypeError):
                continue
        while self.written + 1 in self._waiting:
            self._since_ms, line = self._waiting.pop(self.written + 1)
            self.written += 1
            self.write(line)
