"""The first request after a SnapStart restore, with forks as its stand-in."""

import json
import subprocess
import sys
from pathlib import Path

from .process import EVENT_SOURCE, FIRST, Target, WrongAnswer

SCRIPT = Path(__file__).with_name("snapshot.py")


def first_requests(target: Target, number: int) -> list[float]:
    """Return the processor milliseconds of the first request of each clone."""
    environment = target.environment()
    variables = environment.variables | {"AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start"}
    # Without it no hook waits for a signal of Lambda's.
    del variables["AWS_LAMBDA_RUNTIME_API"]
    environment.stop()
    command = [sys.executable, "-I", "-S", str(SCRIPT), str(target.libraries)]
    process = subprocess.run(
        [*command, str(number), target.variant.adapter.handler],
        cwd=target.root,
        env=variables,
        input=json.dumps(EVENT_SOURCE.event(FIRST)),
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        found: list[float] = json.loads(process.stdout)
    except ValueError:
        found = []
    if process.returncode or not all(found) or len(found) != number:
        raise WrongAnswer(
            f"A clone of {target.name} did not answer {FIRST.target}: "
            f"{process.stdout[-200:]} {process.stderr[-2000:]}"
        )
    return found
