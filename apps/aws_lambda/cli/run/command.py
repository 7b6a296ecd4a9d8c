"""
Serve the site as API Gateway would: the program behind `make run`.

    django-on-lambda run [--port 3000] [--lambda-port 3002]
"""

import argparse
import fcntl
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from .. import ROOT
from ..ports import is_taken
from .offline import OfflineError, ServerlessOffline
from .prepare import PrepareError, prepare

WELCOME = """
  HTTP API  {0}/
            {0}/admin/
  REST API  {0}/dev/
            {0}/dev/admin/

  Log in    {1}
  Database  {2}

Ctrl-C stops the site. Its log follows.
"""
ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until Ctrl-C; return the exit status."""
    parser = argparse.ArgumentParser(prog="django-on-lambda run")
    parser.add_argument("--port", type=port, default=3000)
    parser.add_argument("--lambda-port", type=port, default=3002)
    parser.add_argument("--state", type=Path, default=ROOT / ".run")
    options = parser.parse_args(arguments)
    os.chdir(ROOT)
    options.state.mkdir(exist_ok=True)
    for ending in ENDINGS:
        signal.signal(ending, stop)
    try:
        with only_one(options.state / "lock"):
            serve(options)
    except KeyboardInterrupt:
        print("\nStopped.")
        return 0
    except (OfflineError, PrepareError, StartError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def port(value: str) -> int:
    if not value.isdecimal() or not 0 < int(value) < 65_536:
        raise argparse.ArgumentTypeError(
            f"{value} is not a port number from 1 to 65535"
        )
    return int(value)


class StartError(Exception):
    """Nothing was started; the message has the reason and the fix."""


def stop(signum: int, frame: object) -> None:
    # A second Ctrl-C must not interrupt the shutdown.
    for ending in ENDINGS:
        signal.signal(ending, signal.SIG_IGN)
    raise KeyboardInterrupt


@contextmanager
def only_one(lock: Path) -> Iterator[None]:
    """Hold a lock, which the system releases when this process ends."""
    with lock.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise StartError(
                f"`make run` is already running as process {file.read()}. Stop it with "
                "Ctrl-C in its terminal first."
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def serve(options: argparse.Namespace) -> None:
    ports = {"PORT": options.port, "LAMBDA_PORT": options.lambda_port}
    if len(set(ports.values())) < len(ports):
        raise StartError("PORT and LAMBDA_PORT are the same. Set two different ports.")
    for name, number in ports.items():
        if is_taken(number):
            raise StartError(
                f"Port {number} is in use by another program. Stop it, or run: "
                f"make run {name}={number + 10}"
            )
    print("Preparing the database and static files", flush=True)
    database, login = prepare(options.state / "admin-password")
    print("Starting serverless-offline", flush=True)
    offline = ServerlessOffline(
        http_port=options.port,
        lambda_port=options.lambda_port,
        log=options.state / "offline.log",
    )
    with offline:
        print(WELCOME.format(f"http://localhost:{options.port}", login, database))
        follow(offline)


def follow(offline: ServerlessOffline) -> None:
    """Copy the log to standard output until serverless-offline ends."""
    with offline.log.open(errors="replace") as log:
        log.seek(0, os.SEEK_END)
        try:
            while True:
                sys.stdout.write(log.read())
                sys.stdout.flush()
                offline.check()
                time.sleep(0.1)
        finally:
            sys.stdout.write(log.read())
