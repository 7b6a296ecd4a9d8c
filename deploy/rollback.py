"""
Give the traffic back to the version before: `make rollback STAGE=prod`.

It takes seconds, because that version is still there. The database stays as it
is: docs/migrations.md says which migrations the version before can live with. A
second rollback undoes the first.
"""

import argparse
import sys

from . import traffic
from .report import Stopped, complain, say, step
from .versions import PREVIOUS, VersionedStage, spell


def main() -> int:
    """Roll back, and return the exit status."""
    parser = argparse.ArgumentParser(prog="deploy.rollback")
    parser.add_argument("--stage", required=True)
    parser.add_argument("--url", help="where to look from outside")
    options = parser.parse_args()
    try:
        stage = VersionedStage(options.stage)
        live, previous = stage.versions(), stage.versions(PREVIOUS)
        if live and stage.shifting():
            raise Stopped(
                "A shift is under way, and two versions share the traffic. Stop it: "
                "it then gives the traffic back by itself.",
                advice="Ctrl-C in `make deploy`, or: aws deploy stop-deployment "
                "--auto-rollback-enabled --deployment-id ID-THAT-IT-SAID",
            )
        if not previous or previous == live:
            raise Stopped(
                f"{stage.stack_name} has no version before {spell(live)} that was "
                "live: nothing was changed.",
                advice=f"make info STAGE={stage.name}",
            )
        with step(f"Give the traffic back to {spell(previous)}"):
            traffic.give_back(stage, previous)
            stage.remember(live)
        url = options.url or stage.public_url()
        with step(f"Look at {url} from outside"):
            traffic.verify(url)
        say(f"{url}/ is served by {spell(previous)}. The database is as it was.")
    except (Stopped, KeyboardInterrupt) as error:
        complain(f"\n{error}" if str(error) else "\nInterrupted.")
        advice = error.advice if isinstance(error, Stopped) else ""
        complain(f"Next: {advice or f'make info STAGE={options.stage}'}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
