"""The output of a command: logged line by line, and returned with the result."""

import io
import json
import logging
from collections import deque
from typing import Any

from ..aws.limits import MAX_PAYLOAD_BYTES

logger = logging.getLogger(__name__)

# The other keys of the result take less than the rest of the payload.
MAX_OUTPUT_BYTES = MAX_PAYLOAD_BYTES - 10_000
# JSON takes up to six bytes for a character, and a log event has at most 1 MB.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
MAX_LINE_CHARACTERS = 100_000


class Output(io.TextIOBase):
    """
    Log each line of a command's output, and keep the last lines for its result.

    A line is logged when it is complete, with its number and the ``fields`` given
    here. A line of more than MAX_LINE_CHARACTERS is split. A command has one Output
    for stdout and stderr, so that their order is that of a terminal.
    """

    def __init__(self, **fields: Any) -> None:
        self.fields = fields
        self.lines = 0
        self._incomplete = ""
        self._kept: deque[str] = deque()
        self._kept_bytes = 0

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        *complete, self._incomplete = (self._incomplete + text).split("\n")
        for line in complete:
            for start in range(0, len(line) or 1, MAX_LINE_CHARACTERS):
                self._add(line[start : start + MAX_LINE_CHARACTERS])
        while len(self._incomplete) > MAX_LINE_CHARACTERS:
            self._add(self._incomplete[:MAX_LINE_CHARACTERS])
            self._incomplete = self._incomplete[MAX_LINE_CHARACTERS:]
        return len(text)

    def write_unlogged(self, text: str) -> None:
        """Write for the caller only: the text may repeat a mistyped secret."""
        self.finish()
        for line in text.splitlines():
            self._keep(line)

    def finish(self) -> None:
        """Log and keep the last line if it has no newline."""
        if self._incomplete:
            self.write("\n")

    def result(self) -> dict[str, Any]:
        """
        Return ``output``, and how many ``lines`` were written.

        Of an output that does not fit into Lambda's response, only the last lines are
        returned; the log has all of them.
        """
        return {"output": "\n".join(self._kept), "lines": self.lines}

    def _add(self, line: str) -> None:
        self._keep(line)
        logger.info("%s", line, extra={"line": self.lines, **self.fields})

    def _keep(self, line: str) -> None:
        self.lines += 1
        self._kept.append(line)
        self._kept_bytes += json_bytes(line)
        while self._kept_bytes > MAX_OUTPUT_BYTES:
            self._kept_bytes -= json_bytes(self._kept.popleft())


def json_bytes(line: str) -> int:
    """Return how many bytes a line and its newline take in JSON, or more."""
    return len(json.dumps(line))
