"""What a management command writes: into the log as it comes, and whole at the end."""

import io
import json
import logging
from collections import deque
from typing import Any

logger = logging.getLogger(__name__)

# The most, in bytes of JSON, that is kept of the beginning and of the end. Lambda
# returns 6 MB.
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
HALF = 2_500_000
# The most characters in a line: a log event may have 1 MB, and JSON has up to six
# bytes for a character of ours.
LONGEST = 100_000


class Output(io.TextIOBase):
    """
    A command's stdout and stderr in one, as a terminal shows them.

    Each line is logged when it is complete, with its number and the ``extra`` given
    here. Of very much output the middle is forgotten, and is in the log only.
    """

    def __init__(self, **extra: Any) -> None:
        self.extra = extra
        self.count = 0
        self._begun = ""
        self._first: list[str] = []
        self._last: deque[str] = deque()
        self._room = self._room_at_end = HALF
        self._forgotten = 0

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            self._add(line)
        while len(self._begun) > LONGEST:
            self._add(self._begun[:LONGEST])
            self._begun = self._begun[LONGEST:]
        return len(text)

    def finish(self) -> None:
        """Log what has no end of line."""
        if self._begun:
            line, self._begun = self._begun, ""
            self._add(line)

    def result(self) -> dict[str, Any]:
        """
        Return the ``output``, how many ``lines`` were written, and what is missing.

        ``left_out`` is None, or the numbers of the first and the last line that a
        single one, which says so, stands for.
        """
        lines = [*self._first, *self._last]
        left_out = None
        if self._forgotten:
            first = len(self._first) + 1
            last = first + self._forgotten - 1
            left_out = [first, last]
            lines.insert(
                first - 1, f"[... lines {first:,} to {last:,} are in the log only ...]"
            )
        return {"output": "\n".join(lines), "lines": self.count, "left_out": left_out}

    def _add(self, line: str) -> None:
        while len(line) > LONGEST:
            self._add(line[:LONGEST])
            line = line[LONGEST:]
        self.count += 1
        logger.info("%s", line, extra={"line": self.count, **self.extra})
        size = cost(line)
        if not self._last and size <= self._room:
            self._room -= size
            self._first.append(line)
            return
        self._last.append(line)
        self._room_at_end -= size
        while self._room_at_end < 0:
            self._room_at_end += cost(self._last.popleft())
            self._forgotten += 1


def cost(line: str) -> int:
    """Return the bytes that a line and its end take in JSON."""
    return len(json.dumps(line))
