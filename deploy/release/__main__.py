"""
Release the code of this folder to a stage: `make deploy STAGE=prod`.

Each step leaves the stage as it was or one step further, and nothing but the last
steps moves traffic. So whatever fails or is interrupted, the site goes on with the
version it had, and the same command can be given again.
"""

import argparse
import shlex
import sys

from ..report import Stopped, heed_signals, say, step, undoing
from . import traffic
from .situation import explain, look
from .trial import check_health, manage
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
    heed_signals()
    stage, live = None, Versions()
    try:
        with step(f"Look at stage {options.stage}"):
            stage = VersionedStage(options.stage, dict(options.param))
            live = look(stage)
        release(stage, live, url=options.url, at_once=options.at_once)
    except (Stopped, KeyboardInterrupt) as error:
        explain(error, stage, live, again(options))
        return 130 if isinstance(error, KeyboardInterrupt) else 1
    return 0


def parameter(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"NAME=VALUE, not {text}")
    return name, value


def again(options: argparse.Namespace) -> str:
    """Return the command that does the same once more."""
    others = [f"--param={name}={value}" for name, value in options.param]
    others += ["--at-once"] if options.at_once else []
    others += ["--url", options.url] if options.url else []
    command = f"make deploy STAGE={options.stage}"
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
    except BaseException as error:
        if live:
            # Where CloudFormation undoes an update, it gives the alias the version
            # that was live at the deployment before, which a release has moved since.
            title = "Wait for CloudFormation, and leave the traffic where it was"
            with undoing(error, title):
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
    url = url or stage.public_url()
    try:
        if new != live:
            stage.remember(live)
        gradually = stage.traffic_shift != "AllAtOnce" and not at_once
        how = f", {stage.traffic_shift}" if gradually else ""
        with step(f"Give it the traffic{how}"):
            traffic.shift(stage, new, gradually=gradually)
        with step(f"Look at {url} from outside"):
            traffic.verify(url)
    except BaseException as error:
        if live:
            with undoing(error, f"Give the traffic back to {spell(live)}"):
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


if __name__ == "__main__":
    sys.exit(main())
