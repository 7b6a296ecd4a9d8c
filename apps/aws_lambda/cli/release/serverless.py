"""Run the Serverless CLI in a process that ends with this one."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from .. import ROOT, SERVERLESS, node
from ..process import dies_with_parent
from ..report import DeployError

# How long the CLI may take to end before it is killed.
TERMINATION_SECONDS = 5.0


def read(options: Sequence[str]) -> dict[str, Any]:
    """Return serverless.yml with its variables resolved. Raises DeployError."""
    arguments = ["print", "--format", "json", *options]
    code, output, errors = _run(arguments, subprocess.PIPE)
    if code:
        # The CLI writes the reason to standard output.
        reason = f"{output}\n{errors}".strip()
        raise DeployError(
            f"The Serverless CLI could not read serverless.yml:\n{reason}"
        )
    configuration: dict[str, Any] = json.loads(output)
    return configuration


def run(
    command: str,
    options: Sequence[str],
    write: Callable[[str], None] | None = None,
) -> None:
    """
    Run a command that writes to the terminal, or calls ``write`` with each line.

    Raises DeployError if it fails.
    """
    code, *_ = _run([command, *options], write=write)
    if code:
        raise DeployError(
            f"`serverless {command}` failed with exit code {code}; its output is above."
        )


def _run(
    arguments: Sequence[str],
    pipe: int | None = None,
    write: Callable[[str], None] | None = None,
) -> tuple[int, str, str]:
    """
    Return the exit code and, with a pipe, standard output and standard error.

    Ctrl-C in a terminal reaches the CLI too. A signal to this process alone does not,
    and neither does its death, except on Linux.
    """
    node.install(ROOT)
    with subprocess.Popen(
        [SERVERLESS, *arguments],
        cwd=ROOT,
        env={
            # The plugin builds the package with this Python: that of the site may not
            # have what the commands require.
            "DJANGO_ON_LAMBDA_PYTHON": sys.executable,
            **os.environ,
            # Nine lines about Node.js versions that this project does not need yet.
            "AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED": "true",
        },
        stdout=subprocess.PIPE if write else pipe,
        stderr=pipe,
        text=True,
        preexec_fn=dies_with_parent(signal.SIGTERM),
    ) as process:
        try:
            if write and process.stdout:
                for line in process.stdout:
                    write(line)
            output, errors = process.communicate()
        except BaseException:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(TERMINATION_SECONDS)
            process.kill()
            raise
    return process.returncode, output, errors
