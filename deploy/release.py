"""
Release the code of this folder to a stage: `make deploy STAGE=prod`.

Each step leaves the stage as it was or one step further, and nothing but the last
steps moves traffic. So whatever fails or is interrupted, the site goes on with the
version it had, and the same command can be given again.
"""

import argparse
import json
import shlex
import signal
import sys

from apps.aws_lambda.remote.client import call
from apps.aws_lambda.remote.errors import RemoteError, Target

from . import traffic
from .report import Stopped, complain, say, step
from .situation import explain, look
from .versions import PREVIOUS, VersionedStage, Versions, spell


def main() -> int:
    """Release, and return the exit status."""
    parser = argparse.ArgumentParser(prog="deploy.release")
    parser.add_argument("--stage", required=True)
    parser.add_argument(
        "--param", action="append", default=[], metavar="NAME=VALUE", type=parameter
    )
    parser.add_argument(
        "--at-once",
        action="store_true",
        help="give all traffic to the new version, whatever the stage's way: to "
        "mend a site whose alarms ring",
    )
    parser.add_argument(
        "--url", help="where to look from outside, if not at the stage's own URL"
    )
    options = parser.parse_args()
    # What a closed terminal and a cancelled job send: as Ctrl-C.
    for number in (signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    live: Versions = {}
    stage = None
    try:
        with step(f"Look at stage {options.stage}"):
            stage = VersionedStage(options.stage, dict(options.param))
            live = look(stage)
        release(stage, live, url=options.url, at_once=options.at_once)
    except (Stopped, KeyboardInterrupt) as error:
        explain(error, stage, live, again())
        return 130 if isinstance(error, KeyboardInterrupt) else 1
    return 0


def parameter(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"NAME=VALUE, not {text}")
    return name, value


def again() -> str:
    """Return the command that does the same once more."""
    _, _, stage, *others = sys.argv
    command = f"make deploy STAGE={stage}"
    return f"{command} ARGS={shlex.quote(shlex.join(others))}" if others else command


def release(
    stage: VersionedStage,
    live: Versions,
    *,
    url: str | None = None,
    at_once: bool = False,
) -> None:
    try:
        with step("Package and deploy the new version, without traffic"):
            deploy(stage, live)
    except BaseException:
        if live:
            # Where CloudFormation undoes an update, it gives the alias the version
            # that was live at the deployment before, which a release has moved since.
            with step("Wait for CloudFormation, and leave the traffic where it was"):
                stage.wait()
                traffic.give_back(stage, live)
        raise
    new = stage.newest()
    say(f"  new: {spell(new)}" if new != live else f"  Nothing new: {spell(live)}")
    manage(stage, new, ["migrate", "--plan"], "Show which migrations will run")
    manage(stage, new, ["migrate", "--noinput"], "Migrate the database")
    manage(stage, new, ["createcachetable"], "Make the cache's table, if it is missing")
    with step("Ask the new version for its health"):
        check_health(stage, new["http"])
    before = stage.versions(PREVIOUS)
    if new != live:
        stage.remember(live)
    url = url or stage.public_url()
    try:
        gradually = stage.traffic_shift != "AllAtOnce" and not at_once
        how = f", {stage.traffic_shift}" if gradually else ""
        with step(f"Give it the traffic{how}"):
            traffic.shift(stage, new, gradually=gradually)
        with step(f"Look at {url} from outside"):
            traffic.verify(url)
    except BaseException:
        if live:
            with step(f"Give the traffic back to {spell(live)}"):
                traffic.give_back(stage, live)
                stage.remember(before)
        raise
    say(f"Released: {url}/ is served by {spell(new)}.")
    with step("Delete old versions"):
        stage.prune()


def deploy(stage: VersionedStage, live: Versions) -> None:
    """Publish new versions by CloudFormation; what is live stays live."""
    kept = ",".join(f"{name}:{version}" for name, version in live.items())
    stage.serverless("deploy", *(["--param", f"live={kept}"] if kept else []))


def manage(
    stage: VersionedStage, versions: Versions, argv: list[str], title: str
) -> None:
    """Run a management command on the new version. Raises Stopped if it fails."""
    with step(title):
        target = Target(stage.functions["manage"], versions["manage"])
        try:
            code = call(
                target,
                argv,
                write=lambda line: say(f"  {line}"),
                complain=lambda line: complain(f"  {line}"),
                region=stage.region,
            )
        except RemoteError as error:
            raise Stopped(str(error)) from error
        if code:
            raise Stopped(f"{' '.join(argv)} ended with exit code {code}.")


def check_health(stage: VersionedStage, version: str) -> None:
    """Invoke the version as a gateway would, past its alias. Raises Stopped."""
    event = {
        "version": "2.0",
        "rawPath": "/health/ready",
        "rawQueryString": "",
        "headers": {},
        "requestContext": {
            "http": {"method": "GET", "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1"}
        },
        "isBase64Encoded": False,
    }
    answer = stage.ask(
        "lambda",
        "invoke",
        FunctionName=stage.functions["http"],
        Qualifier=version,
        Payload=json.dumps(event).encode(),
    )
    result = json.loads(answer["Payload"].read())
    status = result.get("statusCode") if isinstance(result, dict) else None
    if "FunctionError" in answer or status != 200:
        raise Stopped(
            f"Version {version} is not well: {json.dumps(result)[:500]}\n"
            f"Its log: make logs STAGE={stage.name}"
        )


if __name__ == "__main__":
    sys.exit(main())
