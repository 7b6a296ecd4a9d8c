"""
Print what is wrong with a stage, then its versions, its traffic and its health.

    django-on-lambda info --stage prod
"""

from collections.abc import Iterator, Sequence
from typing import Any

from ..arguments import add_stage, parser_of, stage_command
from ..doctor import account
from ..doctor.line import OK, PROBLEM, Line, attempt
from ..report import DeployError, next_command, write, write_error
from .lock import StageLock
from .progress import Versions
from .stage import PREVIOUS, Stage, describe

# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
UPDATED = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the state of a stage, and return the exit status."""
    parser = parser_of("info", __doc__)
    add_stage(parser)
    options = parser.parse_args(arguments)
    try:
        stage = Stage(options.stage, region=options.region)
        for line in report(stage):
            write(line)
    except DeployError as error:
        again = stage_command("info", options.stage, options.region)
        write_error(f"{error}\nNext: {next_command(error, again)}")
        return 1
    return 0


def report(stage: Stage) -> Iterator[str]:
    """Yield a line that says what is wrong, and the table. Raises DeployError."""
    stack, outputs, live = stage.stack(), stage.outputs(), stage.versions()
    alarms = in_alarm(stage) if "AlarmTopicArn" in outputs else None
    yield summary(stage, stack, live, alarms or [])
    for name, value in facts(stage, stack, outputs, live, alarms).items():
        yield f"{name:<14}{value}"


def summary(
    stage: Stage, stack: dict[str, Any], live: Versions, alarms: list[str]
) -> str:
    """Return what is wrong and the next step, or that nothing is, in one line."""
    lines = [*problems(stage, stack, live, alarms)]
    wrong = [line for line in lines if line.state != OK]
    if not wrong:
        return f"Nothing is wrong: {'; '.join(line.text for line in lines)}."
    texts = "; ".join(line.text.rstrip(".") for line in wrong)
    return f"Problem: {texts}. Next: {wrong[0].next_step}"


def problems(
    stage: Stage, stack: dict[str, Any], live: Versions, alarms: list[str]
) -> Iterator[Line]:
    """Yield a line for each item, as the doctor does, the most urgent first."""
    status = str(stack["StackStatus"])
    if status not in UPDATED:
        yield Line("stack", PROBLEM, *of_stack(stage, status))
    if holder := StageLock(stage, "info").holder():
        yield Line("lock", PROBLEM, holder, "wait until it has ended, or release again")
    yield attempt("alias", lambda: newest(stage, live))
    if alarms:
        text = f"in ALARM: {', '.join(alarms)}"
        yield Line("alarms", PROBLEM, text, stage.command("doctor"))
    if {"http", "tasks"} <= live.keys():
        yield attempt("queue", lambda: queue(stage, live))


def newest(stage: Stage, live: Versions) -> Line:
    """Return the doctor's line of the alias, a problem if the newest is not live."""
    line = account.alias(stage, live)
    if line.state != OK or stage.published() in ({}, live):
        return line
    return Line(
        line.item,
        PROBLEM,
        f"{line.text}: the last release was not completed, or was rolled back",
        stage.command("deploy"),
    )


def queue(stage: Stage, live: Versions) -> Line:
    return account.queue(stage, account.deployed(stage, {"tasks": live["tasks"]}))


def of_stack(stage: Stage, status: str) -> tuple[str, str]:
    """Return what a status of the stack means, and the next step."""
    if status.endswith("_IN_PROGRESS"):
        text = f"CloudFormation is updating the stack ({status})"
        return text, f"wait until it has finished: {stage.command('info')}"
    text = f"CloudFormation could not complete the last update ({status})"
    return text, f"{stage.command('deploy')} says what to do"


def facts(
    stage: Stage,
    stack: dict[str, Any],
    outputs: dict[str, str],
    live: Versions,
    alarms: list[str] | None,
) -> dict[str, str]:
    """Return lines about a stage, by their heading. ``alarms`` are those in ALARM."""
    published = stage.published()
    found = {
        "Stack": f"{stage.stack_name} in {stage.region}, {stack['StackStatus']}",
        "Live": describe(live),
    }
    if not published:
        # The first deployment failed, and left at most the bucket of packages.
        return found
    found |= {
        "URL": f"{stage.public_url()}/",
        "Previous": describe(stage.versions(PREVIOUS)),
        "Newest": describe(published) if published != live else "is live",
    }
    # A site may leave out background tasks and the bucket.
    if url := outputs.get("TaskQueueUrl"):
        found["Tasks"] = f"{account.message_count(stage, url)} waiting"
    if url := outputs.get("TaskDeadLetterQueueUrl"):
        found["Dead letters"] = account.message_count(stage, url)
    if bucket := outputs.get("MediaBucketName"):
        found["Uploads"] = bucket
    if "DomainTarget" in outputs:
        found["DNS"] = f"point the domain to {outputs['DomainTarget']}"
    if alarms is not None:
        found["Alarms"] = ", ".join(alarms) or "none in ALARM"
    return found


def in_alarm(stage: Stage) -> list[str]:
    """Return the names of the stage's alarms that are in ALARM."""
    answer = stage.call(
        "cloudwatch",
        "describe_alarms",
        AlarmNamePrefix=f"{stage.stack_name}-",
        StateValue="ALARM",
    )
    return [alarm["AlarmName"] for alarm in answer["MetricAlarms"]]
