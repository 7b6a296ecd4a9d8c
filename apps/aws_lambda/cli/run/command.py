"""
Serve the site as API Gateway would, with serverless-offline.

    django-on-lambda run [--port 3000] [--lambda-port 3002]
"""

import argparse
import fcntl
import json
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path

from .. import ROOT, node
from ..arguments import parser_of
from ..configuration import FILE, Configuration
from ..ports import is_taken
from ..report import DeployError, command
from ..site import SiteError
from .aws import LocalAWS, LocalAWSError
from .local import LocalSite, names_in, prepare
from .log import LogPrinter
from .offline import OfflineError, ServerlessOffline
from .restart import NAMES, ConfigurationFiles
from .schedule import STAGE_FILE

WELCOME = """
{urls}

  Log in    {login}
  Database  {database}
{local}
Ctrl-C stops the site. Its log follows.
"""
# Of serverless-offline.
STAGE = "dev"
ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until Ctrl-C; return the exit status."""
    parser = parser_of("run", __doc__)
    parser.add_argument("--port", type=port, default=3000, help="of the site (3000)")
    parser.add_argument(
        "--lambda-port", type=port, default=3002, help="of Lambda's API (3002)"
    )
    parser.add_argument(
        "--state",
        type=Path,
        default=ROOT / ".run",
        help="folder for the password, static files and logs (.run)",
    )
    options = parser.parse_args(arguments)
    os.chdir(ROOT)
    for ending in ENDINGS:
        signal.signal(ending, stop)
    try:
        # In another folder nothing is written.
        Configuration.read()
        options.state.mkdir(parents=True, exist_ok=True)
        with only_one(options.state / "lock"):
            serve(options)
    except KeyboardInterrupt:
        print("\nStopped.")
        return 0
    except (
        DeployError,
        LocalAWSError,
        OfflineError,
        SiteError,
        StartError,
    ) as error:
        # That of serverless-offline has the end of the log.
        errors = LogPrinter(sys.stderr, stage=STAGE)
        errors.write(f"{error}\n")
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
                f"`{command('run')}` is already running as process {file.read()}. Stop "
                "it with Ctrl-C in its terminal first."
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def serve(options: argparse.Namespace) -> None:
    """Serve, and start again when a file of the configuration is saved."""
    files = ConfigurationFiles()
    check_ports(options)
    stage = options.state / STAGE_FILE
    # That of an earlier run, which may have been of another stage.
    stage.unlink(missing_ok=True)
    # It starts while the site is prepared, and keeps its queues when that starts again.
    local = LocalAWS.unless_disabled(
        options.state, stage, site_port=options.port, lambda_port=options.lambda_port
    )
    site = None
    with local or nullcontext():
        while True:
            with ExitStack() as stack:
                try:
                    started = stack.enter_context(start(options, site, local))
                except (DeployError, OfflineError) as error:
                    if site is None:
                        raise
                    print(error, file=sys.stderr, flush=True)
                    names = files.wait()
                else:
                    site, offline = started
                    names = follow(offline, files)
            print(f"Changed: {', '.join(names)}. Starting again", flush=True)


def check_ports(options: argparse.Namespace) -> None:
    """Raise StartError unless both ports are free."""
    ports = {"port": options.port, "lambda_port": options.lambda_port}
    if len(set(ports.values())) < len(ports):
        raise StartError(
            "The port of the site and that of Lambda are the same. Set two different "
            f"ones: {command('run', port=3000, lambda_port=3002)}"
        )
    for name, number in ports.items():
        if is_taken(number):
            raise StartError(
                f"Port {number} is in use by another program. Stop it, or run: "
                f"{command('run', **{name: number + 10})}"
            )


@contextmanager
def start(
    options: argparse.Namespace, before: LocalSite | None, local: LocalAWS | None
) -> Iterator[tuple[LocalSite, ServerlessOffline]]:
    """
    Start the site, and print where it is.

    ``before`` is the site before a change of its configuration. If it cannot be
    prepared with the change, or a page fails, the browser shows what is wrong.
    """
    node.install(ROOT)
    site = ready(options, before, local.variables if local else {})
    print("Starting serverless-offline", flush=True)
    offline = ServerlessOffline(
        http_port=options.port,
        lambda_port=options.lambda_port,
        log=options.state / "offline.log",
        environment={
            **site.variables,
            "DJANGO_ON_LAMBDA_PYTHON": str(site.python),
            "DJANGO_ON_LAMBDA_SITE": json.dumps(watched(site)),
            "LOCAL_STAGE": str((options.state / STAGE_FILE).resolve()),
        },
        until=[site.configuration.requested[0]],
        healthy=site.configuration.is_healthy if before is None else lambda _: True,
    )
    with offline:
        if local:
            local.wait()
        url = f"http://localhost:{options.port}"
        print(welcome(site, url, local), flush=True)
        yield site, offline


def ready(
    options: argparse.Namespace, before: LocalSite | None, local: Mapping[str, str]
) -> LocalSite:
    """
    Prepare the site, with the variables of the local AWS.

    If it cannot be prepared with a change, return the site ``before`` it. Raises
    SiteError without one.
    """
    print("Preparing the database and static files", flush=True)
    try:
        site = prepare(options.state, local)
    except SiteError as error:
        if before is None:
            raise
        print(error, file=sys.stderr, flush=True)
        site = before
    if site.stand_ins:
        names = ", ".join(site.stand_ins)
        print(f"These variables have the stand-ins of {FILE}: {names}", flush=True)
    return site


def watched(site: LocalSite) -> dict[str, object]:
    """Return what the plugin needs to know for the watch of the site's files."""
    return {
        "settings": site.configuration.settings,
        "static": site.static,
        # Those of the configuration are watched here.
        "written": [*site.written, *NAMES],
        "variables": sorted(names_in(ROOT / ".env")),
    }


def welcome(site: LocalSite, url: str, local: LocalAWS | None) -> str:
    """Return where the pages of the configuration are, and how to log in."""
    pages = list(dict.fromkeys(["/", *site.configuration.requested]))
    urls = []
    for name, prefix in (("HTTP API", ""), ("REST API", "/dev")):
        for number, page in enumerate(pages):
            urls.append(f"  {'' if number else name:10}{url}{prefix}{page}")
    lines = local.lines(site, url) if local else []
    return WELCOME.format(
        urls="\n".join(urls),
        login=site.login,
        database=site.database,
        local="".join(f"{line}\n" for line in lines),
    )


def follow(offline: ServerlessOffline, files: ConfigurationFiles) -> Sequence[str]:
    """
    Print the log until files of the configuration change.

    Returns their names. Raises OfflineError if serverless-offline ends.
    """
    printer = LogPrinter(sys.stdout, stage=STAGE)
    with offline.log.open(errors="replace") as log:
        log.seek(0, os.SEEK_END)
        try:
            while not (names := files.changed()):
                printer.write(log.read())
                offline.check()
                time.sleep(0.1)
            return names
        finally:
            printer.write(log.read())
            printer.close()
