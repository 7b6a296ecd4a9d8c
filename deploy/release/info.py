"""Say what a stage is and how it does: `make info STAGE=prod`."""

import argparse
import sys

from ..report import Stopped, complain, next_command, say
from .versions import PREVIOUS, VersionedStage, spell


def main() -> int:
    """Print it, and return the exit status."""
    parser = argparse.ArgumentParser(prog="deploy.info")
    parser.add_argument("--stage", required=True)
    options = parser.parse_args()
    try:
        stage = VersionedStage(options.stage)
        for name, value in facts(stage).items():
            say(f"{name:<14}{value}")
    except Stopped as error:
        again = f"make info STAGE={options.stage}"
        complain(f"{error}\nNext: {next_command(error, again)}")
        return 1
    return 0


def facts(stage: VersionedStage) -> dict[str, str]:
    """Return what is worth knowing, by name. Raises NotThere."""
    stack, outputs = stage.describe(), stage.outputs()
    live, newest = stage.versions(), stage.newest()
    found = {
        "Stack": f"{stage.stack_name} in {stage.region}, {stack['StackStatus']}",
        "Live": spell(live),
    }
    if not newest:
        # The first deployment failed, and left the bucket of packages at most.
        return found
    found |= {
        "URL": f"{stage.public_url()}/",
        "Before": spell(stage.versions(PREVIOUS)),
        "Newest": spell(newest) if newest != live else "is live",
        "Tasks": f"{waiting(stage, outputs['TaskQueueUrl'])} wait",
        "Dead letters": waiting(stage, outputs["TaskDeadLetterQueueUrl"]),
        "Uploads": outputs["MediaBucketName"],
    }
    if "DomainTarget" in outputs:
        found["DNS"] = f"point the domain at {outputs['DomainTarget']}"
    if "AlarmTopicArn" in outputs:
        ringing = stage.ask(
            "cloudwatch",
            "describe_alarms",
            AlarmNamePrefix=f"{stage.stack_name}-",
            StateValue="ALARM",
        )["MetricAlarms"]
        names = [alarm["AlarmName"] for alarm in ringing]
        found["Alarms"] = ", ".join(names) or "quiet"
    return found


def waiting(stage: VersionedStage, queue: str) -> str:
    answer = stage.ask(
        "sqs",
        "get_queue_attributes",
        QueueUrl=queue,
        AttributeNames=["ApproximateNumberOfMessages"],
    )
    return str(answer["Attributes"]["ApproximateNumberOfMessages"])


if __name__ == "__main__":
    sys.exit(main())
