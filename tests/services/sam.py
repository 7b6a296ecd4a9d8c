"""The SAM CLI, installed by its hashes for the tests, without telemetry."""

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

# `sam build` would pass PYTHONPATH on to the programs it runs.
RUN = """
import runpy, sys
sys.path.insert(0, sys.argv.pop(1))
runpy.run_module("samcli", run_name="__main__", alter_sys=True)
"""

# What AWS does with a template: https://github.com/aws/serverless-application-model
TRANSFORM = """
import json, sys
sys.path.insert(0, sys.argv.pop(1))
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

template = json.load(sys.stdin)
print(json.dumps(Translator({}, Parser()).translate(template, {})))
"""


class Sam:
    """The command `sam`, without prompts and telemetry."""

    def __init__(self) -> None:
        self._packages = str(install.once("sam", LOCK, _install_packages))
        self._home = tempfile.TemporaryDirectory()
        # It looks for a newer version of itself once a week.
        home = {"lastVersionCheck": time.time(), "telemetryEnabled": False}
        Path(self._home.name, "metadata.json").write_text(json.dumps(home))

    def run(self, *arguments: str, **variables: str) -> str:
        """Return what a command prints; raise Unavailable with its errors."""
        return self._python(RUN, *arguments, "--region", REGION, **variables)

    def transform(self, template: dict[str, Any]) -> dict[str, Any]:
        """Return the CloudFormation template of a SAM template."""
        output = self._python(TRANSFORM, text=json.dumps(template))
        transformed: dict[str, Any] = json.loads(output)
        return transformed

    def _python(
        self, code: str, *arguments: str, text: str = "", **variables: str
    ) -> str:
        own = {
            "AWS_DEFAULT_REGION": REGION,
            "SAM_CLI_TELEMETRY": "0",
            "__SAM_CLI_APP_DIR": self._home.name,
        }
        return install.run(
            [sys.executable, "-c", code, self._packages, *arguments],
            cwd=install.PROJECT,
            env=os.environ | own | variables,
            input=text,
            stdin=None,
        )


@cache
def find() -> Sam:
    """Return the SAM CLI; install it if necessary."""
    return Sam()


def _install_packages(folder: Path) -> None:
    install.say(f"Installing {LOCK.name}, the SAM CLI, into .cache/sam.")
    install.packages(LOCK, folder)
