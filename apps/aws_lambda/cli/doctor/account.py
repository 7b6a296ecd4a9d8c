"""What the AWS APIs answer about a stage, with the operator's own permissions."""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from ..configuration import Configuration
from ..release.progress import Versions
from ..release.references import missing_parameters
from ..release.stage import LIVE, Stage, describe
from .line import OK, PROBLEM, Line

CONTENT_FUNCTIONS = ("http", "tasks", "schedule", "manage")
OBJECT_ACTIONS = ("s3:DeleteObject", "s3:GetObject", "s3:PutObject")
CONSUMER_ACTIONS = (
    "sqs:ChangeMessageVisibility",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:ReceiveMessage",
)


class Deployed(NamedTuple):
    """The live version of a function, as Lambda describes it."""

    name: str
    version: str
    arn: str
    role: str
    state: str
    reason: str
    variables: Mapping[str, str]

    def neighbour(self, service: str, resource: str) -> str:
        """Return the ARN of a resource in the same account and region."""
        _, partition, _, region, account, *_ = self.arn.split(":")
        return f"arn:{partition}:{service}:{region}:{account}:{resource}"

    def queue(self, url: str) -> str:
        """Return the ARN of a queue."""
        return self.neighbour("sqs", url.rpartition("/")[2])


def deployed(stage: Stage, live: Versions) -> dict[str, Deployed]:
    """Return the live versions, by the names in serverless.yml."""
    found = {}
    for name, version in live.items():
        answer = stage.call(
            "lambda",
            "get_function_configuration",
            FunctionName=stage.functions[name],
            Qualifier=version,
        )
        found[name] = Deployed(
            name=stage.functions[name],
            version=version,
            arn=answer["FunctionArn"],
            role=answer["Role"],
            state=answer.get("State", "Active"),
            reason=answer.get("StateReason", ""),
            variables=answer.get("Environment", {}).get("Variables", {}),
        )
    return found


def alias(stage: Stage, live: Versions) -> Line:
    """Return which versions serve the traffic."""
    missing = [name for name in stage.functions if name not in live]
    if missing:
        return Line(
            "alias",
            PROBLEM,
            f"{', '.join(missing)} {verb(missing, 'has', 'have')} no alias {LIVE}",
            stage.command("deploy"),
        )
    text = f"{LIVE} is {describe(live)}"
    if stage.is_shifting():
        return Line(
            "alias",
            PROBLEM,
            f"{text}, but two versions share the traffic of http",
            f"wait for the release, or move it back: {stage.command('rollback')}",
        )
    published = stage.published()
    if published and published != live:
        text += f", newest is {describe(published)}"
    return Line("alias", OK, text)


def states(stage: Stage, functions: Mapping[str, Deployed]) -> Line | None:
    """Return a line for functions that cannot be invoked, or None."""
    # An unused function is Inactive, and its next invocation wakes it.
    bad = [
        f"{name} is {function.state}: {function.reason}"
        for name, function in functions.items()
        if function.state not in ("Active", "Inactive")
    ]
    if not bad:
        return None
    return Line("alias", PROBLEM, "; ".join(bad), stage.command("deploy"))


def environment(stage: Stage, functions: Mapping[str, Deployed]) -> Line:
    """
    Return which variables are missing. No value is printed.

    The site needs those that it has a stand-in for, and those that serverless.yml
    gives a value to.
    """
    configured = stage.configuration["provider"].get("environment", {})
    needed = {*Configuration.read().stand_ins} | {
        name for name, value in configured.items() if value
    }
    missing = {
        variable: [
            name
            for name, function in functions.items()
            if not function.variables.get(variable)
        ]
        for variable in sorted(needed)
    }
    texts = [
        f"{variable} is not set in {', '.join(names)}"
        for variable, names in missing.items()
        if names
    ]
    if texts:
        return Line(
            "environment",
            PROBLEM,
            "; ".join(texts),
            "set them in provider.environment of serverless.yml, and run: "
            f"{stage.command('deploy')}",
        )
    return Line(
        "environment", OK, f"all {len(needed)} variables that the site needs are set"
    )


def roles(stage: Stage, functions: Mapping[str, Deployed]) -> Line:
    """Return what IAM does not allow the functions' roles, of what they need."""
    denied = []
    for name, function in functions.items():
        for resource, actions in permissions(name, function):
            answer = stage.call(
                "iam",
                "simulate_principal_policy",
                PolicySourceArn=function.role,
                ActionNames=[*actions],
                ResourceArns=[resource],
            )
            denied += [
                f"{result['EvalActionName']} on {resource.split(':', 5)[5]} to {name}"
                for result in answer["EvaluationResults"]
                if result["EvalDecision"] != "allowed"
            ]
    if denied:
        return Line(
            "roles",
            PROBLEM,
            f"IAM does not allow {', '.join(denied)}",
            f"check resources/roles.yml and docs/secrets.md#permissions, and run: "
            f"{stage.command('deploy')}",
        )
    return Line("roles", OK, f"IAM allows {', '.join(functions)} what they need")


def permissions(name: str, function: Deployed) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield resources and the actions that a function needs on each."""
    stream = f"log-group:/aws/lambda/{function.name}:log-stream:doctor"
    yield function.neighbour("logs", stream), ("logs:PutLogEvents",)
    for value in sorted({*function.variables.values()}):
        service, _, reference = value.partition(":")
        if service == "ssm":
            # Without the version or label of "name:3".
            parameter = re.sub(r":[^:/]+$", "", reference)
            if not parameter.startswith("arn:"):
                parameter = function.neighbour(
                    "ssm", f"parameter/{parameter.lstrip('/')}"
                )
            yield parameter, ("ssm:GetParameters",)
    if name not in CONTENT_FUNCTIONS:
        return
    if bucket := function.variables.get("MEDIA_BUCKET"):
        # Its ARN has neither account nor region.
        partition = function.arn.split(":")[1]
        yield f"arn:{partition}:s3:::{bucket}/doctor", OBJECT_ACTIONS
        yield f"arn:{partition}:s3:::{bucket}", ("s3:ListBucket",)
    if url := function.variables.get("TASK_QUEUE_URL"):
        actions: tuple[str, ...] = ("sqs:SendMessage",)
        if name == "tasks":
            actions += CONSUMER_ACTIONS
        yield function.queue(url), actions


def secrets(stage: Stage) -> Line | None:
    """Return the parameters that do not exist, or None if all of them do."""
    missing = missing_parameters(stage)
    if not missing:
        return None
    return Line(
        "secrets",
        PROBLEM,
        f"these SSM parameters do not exist: {', '.join(missing)}",
        f"{stage.command('deploy')} prints the commands that create them",
    )


def queue(stage: Stage, functions: Mapping[str, Deployed]) -> Line:
    """Return how many tasks wait, and whether they are delivered."""
    outputs = stage.outputs()
    url, dead_url = (outputs.get(f"Task{name}QueueUrl") for name in ("", "DeadLetter"))
    if not url or not dead_url or "tasks" not in functions:
        return Line("queue", OK, "the stack has no task queue")
    tasks = functions["tasks"]
    # Of any function: the stack has one.
    mappings = stage.call(
        "lambda", "list_event_source_mappings", EventSourceArn=tasks.queue(url)
    )["EventSourceMappings"]
    waiting = f"{message_count(stage, url)} tasks wait"
    dead = message_count(stage, dead_url)
    found = [str(mapping["State"]) for mapping in mappings]
    if not {"Enabled", "Enabling", "Updating"} & {*found}:
        state = f"is {found[0]}" if found else "does not exist"
        next_step = (
            "aws lambda update-event-source-mapping --enabled --uuid "
            f"{mappings[0]['UUID']} --region {stage.region}"
            if found
            else stage.command("deploy")
        )
        return Line(
            "queue",
            PROBLEM,
            f"no task is delivered: the event source mapping of the queue {state}, "
            f"{waiting}",
            next_step,
        )
    if dead != "0":
        return Line(
            "queue",
            PROBLEM,
            f"{dead} tasks failed for the last time and are in the dead-letter queue, "
            f"{waiting}",
            "fix the cause, and send them again: docs/tasks.md#dead-letter-queue",
        )
    return Line("queue", OK, f"{waiting}, none is in the dead-letter queue")


def message_count(stage: Stage, queue: str) -> str:
    """Return how many messages wait in a queue, given its URL."""
    answer = stage.call(
        "sqs",
        "get_queue_attributes",
        QueueUrl=queue,
        AttributeNames=["ApproximateNumberOfMessages"],
    )
    return str(answer["Attributes"]["ApproximateNumberOfMessages"])


def verb(names: list[str], one: str, many: str) -> str:
    return one if len(names) == 1 else many
