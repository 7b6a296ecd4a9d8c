"""
Print the versions, the traffic and the health of a stage.

    django-on-lambda info --stage prod
"""

from collections.abc import Sequence

from ..arguments import add_stage, parser_of
from ..report import DeployError, command, next_command, write, write_error
from .stage import PREVIOUS, Stage, describe


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the state of a stage, and return the exit status."""
    parser = parser_of("info", __doc__)
    add_stage(parser)
    options = parser.parse_args(arguments)
    try:
        stage = Stage(options.stage)
        for name, value in facts(stage).items():
            write(f"{name:<14}{value}")
    except DeployError as error:
        again = command("info", stage=options.stage)
        write_error(f"{error}\nNext: {next_command(error, again)}")
        return 1
    return 0


def facts(stage: Stage) -> dict[str, str]:
    """Return lines about a stage, by their heading. Raises NotFound."""
    stack, outputs = stage.stack(), stage.outputs()
    live, published = stage.versions(), stage.published()
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
        found["Tasks"] = f"{message_count(stage, url)} waiting"
    if url := outputs.get("TaskDeadLetterQueueUrl"):
        found["Dead letters"] = message_count(stage, url)
    if bucket := outputs.get("MediaBucketName"):
        found["Uploads"] = bucket
    if "DomainTarget" in outputs:
        found["DNS"] = f"point the domain to {outputs['DomainTarget']}"
    if "AlarmTopicArn" in outputs:
        alarms = stage.call(
            "cloudwatch",
            "describe_alarms",
            AlarmNamePrefix=f"{stage.stack_name}-",
            StateValue="ALARM",
        )["MetricAlarms"]
        found["Alarms"] = ", ".join(a["AlarmName"] for a in alarms) or "none in ALARM"
    return found


def message_count(stage: Stage, queue: str) -> str:
    answer = stage.call(
        "sqs",
        "get_queue_attributes",
        QueueUrl=queue,
        AttributeNames=["ApproximateNumberOfMessages"],
    )
    return str(answer["Attributes"]["ApproximateNumberOfMessages"])
