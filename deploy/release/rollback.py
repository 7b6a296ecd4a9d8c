"""
Give the traffic back to the version before: `make rollback STAGE=prod`.

It takes seconds, because that version is still there. The database stays as it
is: docs/migrations.md says which migrations the version before can live with. A
second rollback undoes the first.
"""

import argparse
import sys

from ..report import Stopped, heed_signals, say, step
from . import traffic
from .situation import explain
from .versions import PREVIOUS, VersionedStage, Versions, spell


def main() -> int:
    """Roll back, and return the exit status."""
    parser = argparse.ArgumentParser(prog="deploy.rollback")
    parser.add_argument("--stage", required=True)
    parser.add_argument("--url", help="where to look from outside")
    options = parser.parse_args()
    heed_signals()
    stage, live = None, Versions()
    try:
        stage = VersionedStage(options.stage)
        stage.describe()
        live = stage.versions()
        roll_back(stage, live, options.url)
    except (Stopped, KeyboardInterrupt) as error:
        # Not the same command: a second rollback undoes the first.
        explain(error, stage, live, f"make info STAGE={options.stage}")
        return 130 if isinstance(error, KeyboardInterrupt) else 1
    return 0


def roll_back(stage: VersionedStage, live: Versions, url: str | None) -> None:
    previous = stage.versions(PREVIOUS)
    if live and stage.shifting():
        raise Stopped(
            "A shift is under way, and two versions share the traffic. Stop it: "
            "it then gives the traffic back by itself.",
            advice="Ctrl-C in `make deploy`, or: aws deploy stop-deployment "
            "--auto-rollback-enabled --deployment-id ID-THAT-IT-SAID",
        )
    if not previous or previous == live:
        raise Stopped(
            f"{stage.stack_name} has no version that was live before: nothing was "
            "changed.",
            advice=f"make info STAGE={stage.name}",
        )
    with step(f"Give the traffic back to {spell(previous)}"):
        traffic.give_back(stage, previous)
        stage.remember(live)
    url = url or stage.public_url()
    with step(f"Look at {url} from outside"):
        traffic.verify(url)
    say(f"{url}/ is served by {spell(previous)}. The database is as it was.")
    if busy := stage.busy():
        say(
            f"CloudFormation is at work ({busy}). If that is a release, it will move "
            "the traffic again: cancel it."
        )


if __name__ == "__main__":
    sys.exit(main())
