"""
Measure a cold start of the built package, with the real runtime client.

Each variant is the same package, unpacked, with one change. In each round, every
variant is started and serves one page, so that load on the machine affects all. The
table shows medians of the times, and of the ratios to the package as built in the
same round. CPU is the processor time of the process until its first response, wall
the elapsed time until then, with all files in the page cache.

Run: make package ARCH=x86_64 && .venv/bin/python -m benchmarks.cold_start
"""

import argparse
import compileall
import os
import re
import shutil
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from py_compile import PycInvalidationMode
from statistics import median

from apps.aws_lambda.bundle import FILE as BUNDLE
from apps.aws_lambda.cli import ROOT
from apps.aws_lambda.cli.configuration import Configuration
from apps.aws_lambda.cli.package.runtime import (
    chmod_folders,
    environment,
    lambda_runtime,
    unpacked,
)
from apps.aws_lambda.cli.package.sizes import size_table
from apps.aws_lambda.test.http_api import HttpApi
from apps.aws_lambda.test.wire import Request

REQUEST = Request("GET", "/admin/login/", (("Accept", "text/html"),))


def as_built(root: Path) -> None:
    """Change nothing."""


def without_bundle(root: Path) -> None:
    """Load each module from its own file."""
    (root / BUNDLE).unlink()


def without_bytecode(root: Path) -> None:
    """Remove all bytecode, as in a package that contains only sources."""
    without_bundle(root)
    for folder in root.rglob("__pycache__"):
        shutil.rmtree(folder)


def stale_bytecode(root: Path) -> None:
    """Validate by timestamps, as pip compiles, with the timestamps of the archive."""
    without_bytecode(root)
    compileall.compile_dir(root, quiet=1)
    for path in root.rglob("*.py"):
        os.utime(path, (315_532_800, 315_532_800))


def checked_bytecode(root: Path) -> None:
    """Validate by hashes, for which Python reads each source file."""
    without_bytecode(root)
    mode = PycInvalidationMode.CHECKED_HASH
    compileall.compile_dir(root, quiet=1, invalidation_mode=mode)


def with_collector(root: Path) -> None:
    """Run the garbage collector during the init phase."""
    path = root / "apps" / "aws_lambda" / "bootstrap.py"
    text, count = re.subn(
        r"    gc\.(disable|freeze|enable)\(\)\n", "", path.read_text()
    )
    if count != 3:
        raise SystemExit(
            f"{path.name} has {count} lines gc.disable(), gc.freeze() or gc.enable(), "
            "not 3. Adapt with_collector in benchmarks/cold_start.py."
        )
    path.write_text(text)
    mode = PycInvalidationMode.UNCHECKED_HASH
    compileall.compile_file(path, quiet=1, force=True, invalidation_mode=mode)


VARIANTS: dict[str, Callable[[Path], None]] = {
    "as built": as_built,
    "no code bundle": without_bundle,
    "no bytecode": without_bytecode,
    "stale bytecode": stale_bytecode,
    "bytecode checked by hash": checked_bytecode,
    "collector on": with_collector,
}


def cold_start(
    root: Path, runtime: Path, variables: dict[str, str]
) -> tuple[float, float]:
    """Return the CPU seconds and the wall seconds until the first response."""
    event_source = HttpApi("HTTP API", variables["ALLOWED_HOSTS"])
    start = time.perf_counter()
    with environment(root, runtime, "http", variables) as running:
        status = event_source.send(
            lambda event, _: running.invoke(event), REQUEST
        ).status
        wall = time.perf_counter() - start
        # https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
        fields = (
            Path(f"/proc/{running.pid}/stat").read_text().rpartition(")")[2].split()
        )
    if status != 200:
        raise SystemExit(f"The status of {REQUEST.target} was {status}, not 200.")
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), wall


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.cold_start")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--arch", default="x86_64")
    options = parser.parse_args()
    archive = ROOT / "dist" / f"lambda-{options.arch}.zip"
    variables = dict(Configuration.read().stand_ins) | {"ENV_FILE": "/dev/null"}
    print(size_table(archive), end="\n\n")
    with ExitStack() as stack:
        runtime = stack.enter_context(lambda_runtime())
        roots = {}
        for name, change in VARIANTS.items():
            roots[name] = stack.enter_context(unpacked(archive))
            chmod_folders(roots[name], 0o755)
            change(roots[name])
            cold_start(roots[name], runtime, variables)
        rounds = [
            {name: cold_start(root, runtime, variables) for name, root in roots.items()}
            for _ in range(options.rounds)
        ]
    print(f"{'median of ' + str(options.rounds):26} CPU ms  ratio  wall ms  ratio")
    for name in VARIANTS:
        cells = []
        for kind in (0, 1):
            value = median(each[name][kind] for each in rounds) * 1000
            ratio = median(each[name][kind] / each["as built"][kind] for each in rounds)
            cells.append(f"{value:7.0f} {ratio:6.2f}")
        print(f"{name:25} {cells[0]}  {cells[1]}")


if __name__ == "__main__":
    main()
