"""Run the Serverless CLI, so that it ends when we do."""

import json
import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from local.offline import ROOT, SERVERLESS
from local.process import dies_with_parent

from ..report import Stopped

# Seconds in which the CLI may end before it is killed.
GRACE = 5.0


def read(options: Sequence[str]) -> dict[str, Any]:
    """Return serverless.yml, resolved. Raises Stopped if it cannot be."""
    arguments = ["print", "--format", "json", *options]
    code, output, errors = _run(arguments, subprocess.PIPE)
    if code:
        # The CLI writes the reason to standard output.
        reason = f"{output}\n{errors}".strip()
        raise Stopped(f"serverless.yml cannot be read:\n{reason}")
    configuration: dict[str, Any] = json.loads(output)
    return configuration


def run(command: str, options: Sequence[str]) -> None:
    """Run a command, which writes to the terminal. Raises Stopped if it fails."""
    code, *_ = _run([command, *options])
    if code:
        raise Stopped("The Serverless CLI says why, above.")


def _run(arguments: Sequence[str], pipe: int | None = None) -> tuple[int, str, str]:
    """
    Return the exit code, and with a pipe what was written to output and errors.

    Ctrl-C in a terminal reaches the CLI, too; a signal that is sent to us alone does
    not, and nor does our own death. On Linux it is told in each case.
    """
    with subprocess.Popen(
        [SERVERLESS, *arguments],
        cwd=ROOT,
        env={
            **os.environ,
            # Nine lines about a Node.js that this project does not need yet.
            "AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED": "true",
        },
        stdout=pipe,
        stderr=pipe,
        text=True,
        preexec_fn=dies_with_parent(signal.SIGTERM),
    ) as process:
        try:
            output, errors = process.communicate()
        except BaseException:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(GRACE)
            process.kill()
            raise
    return process.returncode, output, errors
