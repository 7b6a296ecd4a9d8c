"""
Release the code of this folder to a stage: `make deploy STAGE=prod`.

Each step leaves the stage as it was or one step further, and nothing but the last
steps moves traffic. So whatever fails or is interrupted, the site goes on with the
version it had, and the same command can be given again.
"""

import argparse
import json
import sys

from apps.aws_lambda.remote.client import call
from apps.aws_lambda.remote.errors import RemoteError, Target

from . import traffic
from .report import Stopped, complain, say, step
from .stage import PREVIOUS, NotThere, Stage, Versions, spell

STDIN = "$(cat)"  # typed, and ended with Ctrl-D: not in the shell's history
RANDOM = "$(python3 -c 'import secrets; print(secrets.token_urlsafe(50))')"


def main() -> int:
    """Release, and return the exit status."""
    parser = argparse.ArgumentParser(prog="deploy.release")
    parser.add_argument("--stage", required=True)
    parser.add_argument("--param", action="append", default=[], metavar="NAME=VALUE")
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
    live: Versions = {}
    stage = None
    try:
        with step(f"Look at stage {options.stage}"):
            parameters = dict(pair.split("=", 1) for pair in options.param)
            stage = Stage(options.stage, parameters)
            live = look(stage)
        release(stage, live, url=options.url, at_once=options.at_once)
    except (Stopped, KeyboardInterrupt) as error:
        explain(error, stage, live, f"make deploy STAGE={options.stage}")
        return 130 if isinstance(error, KeyboardInterrupt) else 1
    return 0


def look(stage: Stage) -> Versions:
    """Return what is live. Raises Stopped if a release cannot begin now."""
    missing = stage.missing_parameters()
    if missing:
        lines = [
            f"  aws ssm put-parameter --region {stage.region} --type SecureString "
            f'--name {name} --value "{RANDOM if name.endswith("key") else STDIN}"'
            for name in missing
        ]
        raise Stopped(
            "These parameters are not set. Set them first (docs/secrets.md):\n"
            + "\n".join(lines)
        )
    try:
        status = stage.describe()["StackStatus"]
    except NotThere:
        say(f"  There is no {stage.stack_name} in {stage.region} yet: it will be made")
        return {}
    if status.endswith("_IN_PROGRESS"):
        raise Stopped(
            f"CloudFormation is at work on {stage.stack_name} ({status}). Wait until "
            "that has ended."
        )
    if status.endswith("ROLLBACK_FAILED"):
        raise Stopped(
            f"CloudFormation could not undo its update of {stage.stack_name}.",
            advice=f"aws cloudformation continue-update-rollback --region "
            f"{stage.region} --stack-name {stage.stack_name}",
        )
    live = stage.versions()
    if live and stage.shifting():
        raise Stopped(
            "Two versions share the traffic: a shift is under way, or Lambda is "
            "providing environments for a new version. Wait until it has ended."
        )
    say(f"  {stage.stack_name} in {stage.region} is {status}; live: {spell(live)}")
    return live


def release(
    stage: Stage, live: Versions, *, url: str | None = None, at_once: bool = False
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
    with step("Delete old versions"):
        stage.prune()
    say(f"Released: {url}/ is served by {spell(new)}.")


def deploy(stage: Stage, live: Versions) -> None:
    """Publish new versions by CloudFormation; what is live stays live."""
    kept = ",".join(f"{name}:{version}" for name, version in live.items())
    stage.serverless("deploy", *(["--param", f"live={kept}"] if kept else []))


def manage(stage: Stage, versions: Versions, argv: list[str], title: str) -> None:
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


def check_health(stage: Stage, version: str) -> None:
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


def explain(
    error: BaseException, stage: Stage | None, live: Versions, again: str
) -> None:
    """Say in which state a failure leaves the stage, and what to type next."""
    complain(f"\n{error}" if str(error) else "\nInterrupted.")
    if live:
        try:
            now = stage.versions() if stage else {}
        except Stopped:
            now = {}
        if now == live:
            complain(f"The site is served by {spell(live)}, as before.")
        else:
            complain(
                f"Before, the site was served by {spell(live)}; now it is "
                f"{spell(now) if now else 'not known by what'}."
            )
    elif stage:
        complain("No version was live before.")
    advice = error.advice if isinstance(error, Stopped) else ""
    complain(f"Next: {advice or f'mend it, then {again}'}")


if __name__ == "__main__":
    sys.exit(main())
