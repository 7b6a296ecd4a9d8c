"""
Move the traffic back to the previous versions.

    django-on-lambda rollback --stage prod

It takes seconds, because those versions still exist. The database stays as it is:
docs/migrations.md explains which migrations the previous version can run with. A
second rollback undoes the first.
"""

from collections.abc import Sequence

from ..arguments import add_stage, parser_of, stage_command
from ..configuration import Configuration
from ..report import DeployError, interrupt_on_signals, step, write
from . import traffic
from .lock import StageLock
from .progress import Versions
from .stage import PREVIOUS, Stage, describe
from .state import report_failure


def main(arguments: Sequence[str] | None = None) -> int:
    """Roll a stage back, and return the exit status."""
    parser = parser_of("rollback", __doc__)
    add_stage(parser)
    parser.add_argument(
        "--url", help="where to check the site, if not at the stage's own URL"
    )
    options = parser.parse_args(arguments)
    interrupt_on_signals()
    stage, live = None, Versions()
    try:
        stage = Stage(options.stage, region=options.region)
        stage.stack()
        with StageLock(stage, "rollback"):
            live = stage.versions()
            roll_back(stage, live, options.url)
    except (DeployError, KeyboardInterrupt) as error:
        # Not the same command: a second rollback undoes the first.
        again = stage_command("info", options.stage, options.region)
        report_failure(error, stage, live, again)
        return 130 if isinstance(error, KeyboardInterrupt) else 1
    return 0


def roll_back(stage: Stage, live: Versions, url: str | None) -> None:
    """Move the traffic from ``live`` to the previous versions. Raises DeployError."""
    previous = stage.versions(PREVIOUS)
    if live and stage.is_shifting():
        raise DeployError(
            "A traffic shift is in progress, and two versions share the traffic. Stop "
            "it: it then moves the traffic back by itself.",
            advice="press Ctrl-C in the terminal of the release, or run: aws deploy "
            "stop-deployment --auto-rollback-enabled --deployment-id "
            "ID-PRINTED-BY-THE-RELEASE",
        )
    if not previous or previous == live:
        raise DeployError(
            f"{stage.stack_name} has no previous version. Nothing was changed.",
            advice=stage.command("info"),
        )
    with step(f"Move the traffic back to {describe(previous)}"):
        traffic.move_back(stage, live, previous)
        stage.set_previous(live)
    url = url or stage.public_url()
    with step(f"Check the site at {url}"):
        traffic.check_site(url, Configuration.read())
    write(f"{url}/ is served by {describe(previous)}. The database is unchanged.")
    if status := stage.update_status():
        write(
            f"CloudFormation is updating the stack ({status}). If that is a release, "
            "it will move the traffic again: cancel it."
        )
