"""The SAM CLI, installed by its hashes for the tests, and kept from telling anybody."""

import json
import os
import sys
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import Any

from tests.services import install

LOCK = install.PROJECT / "requirements" / "sam.txt"
REGION = "eu-central-1"

# What AWS does with a template: https://github.com/aws/serverless-application-model
TRANSFORM = """
import json, sys
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

parts = json.load(sys.stdin)
print(json.dumps(Translator({}, Parser()).translate(parts, {})))
"""


class Sam:
    """The command `sam`, with a home of its own."""

    def __init__(self) -> None:
        packages = install.once("sam", LOCK, _install_packages)
        self._home = tempfile.TemporaryDirectory()
        # With these it has nothing to ask or tell: it checks for a newer version once
        # a week.
        home = {"lastVersionCheck": time.time(), "telemetryEnabled": False}
        Path(self._home.name, "metadata.json").write_text(json.dumps(home))
        self._variables = {
            "AWS_DEFAULT_REGION": REGION,
            "HOME": self._home.name,
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(packages),
            "SAM_CLI_TELEMETRY": "0",
            "__SAM_CLI_APP_DIR": self._home.name,
        }

    def run(self, *arguments: str, **variables: str) -> str:
        """Return what a command prints; raise Unavailable with what it complains of."""
        return install.run(
            [sys.executable, "-m", "samcli", *arguments, "--region", REGION],
            cwd=install.PROJECT,
            env=self._variables | variables,
        )

    def transform(self, template: dict[str, Any]) -> dict[str, Any]:
        """Return the CloudFormation template that a SAM template stands for."""
        output = install.run(
            [sys.executable, "-c", TRANSFORM],
            env=self._variables,
            input=json.dumps(template),
            stdin=None,
        )
        transformed: dict[str, Any] = json.loads(output)
        return transformed


@cache
def find() -> Sam:
    """Return the SAM CLI, installed if need be."""
    return Sam()


def _install_packages(folder: Path) -> None:
    install.say(f"Installing {LOCK.name}, the SAM CLI, into .cache/sam.")
    install.packages(LOCK, folder)
