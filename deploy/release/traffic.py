"""Let new versions have the traffic, at once or bit by bit, or give it back."""

import json
import time
import urllib.error
import urllib.request

from ..report import Stopped, say, undoing
from .versions import VersionedStage, Versions

# Functions without visitors come first: they have to know the tasks that the new
# web function sends. Back it goes in the opposite order.
ORDER = ("manage", "schedule", "tasks", "http")
# Seconds between two looks at a gradual shift.
INTERVAL = 5.0
# How long the site may take to answer from outside: a domain name or a gateway that
# has just been made needs some time to be known.
PATIENCE = 60.0


def shift(stage: VersionedStage, versions: Versions, *, gradually: bool) -> None:
    """
    Give the traffic to these versions.

    Raises Stopped if it could not be done; then some may have it already.
    """
    live = stage.versions()
    for name in ORDER:
        if live.get(name) == versions[name]:
            continue
        if name == "http" and gradually and name in live:
            _shift_gradually(stage, live[name], versions[name])
        else:
            stage.point(name, versions[name])


def give_back(stage: VersionedStage, versions: Versions) -> None:
    """Give the traffic to the versions that had it before."""
    for name in reversed(ORDER):
        if name in versions:
            stage.point(name, versions[name])


def _shift_gradually(stage: VersionedStage, old: str, new: str) -> None:
    """Let CodeDeploy shift the web function's alias, and watch it."""
    deployment = ""
    try:
        deployment = _begin(stage, old, new)
        say(f"  CodeDeploy does it, as deployment {deployment}")
        status = _watch(stage, deployment)
    except (KeyboardInterrupt, Stopped) as error:
        # Nobody watches any more, so it must not go on. It may have begun before its
        # name was told.
        if deployment or isinstance(error, KeyboardInterrupt):
            with undoing(error, "Let CodeDeploy stop and undo what it has begun"):
                _stop(stage)
        raise
    if status != "Succeeded":
        raise Stopped(f"CodeDeploy ended the shift: {status}.")


def _begin(stage: VersionedStage, old: str, new: str) -> str:
    # https://docs.aws.amazon.com/codedeploy/latest/userguide/reference-appspec-file-structure-resources.html
    function = {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "Name": stage.functions["http"],
            "Alias": "live",
            "CurrentVersion": old,
            "TargetVersion": new,
        },
    }
    plan = {"version": 0.0, "Resources": [{"http": function}]}
    answer = stage.ask(
        "codedeploy",
        "create_deployment",
        applicationName=stage.stack_name,
        deploymentGroupName="http",
        revision={
            "revisionType": "AppSpecContent",
            "appSpecContent": {"content": json.dumps(plan)},
        },
    )
    return str(answer["deploymentId"])


def _stop(stage: VersionedStage) -> None:
    """Stop every shift of the stage, of which CodeDeploy does one at a time."""
    answer = stage.ask(
        "codedeploy",
        "list_deployments",
        applicationName=stage.stack_name,
        deploymentGroupName="http",
        includeOnlyStatuses=["Created", "Queued", "InProgress", "Ready"],
    )
    for deployment in answer["deployments"]:
        stage.ask(
            "codedeploy",
            "stop_deployment",
            deploymentId=deployment,
            autoRollbackEnabled=True,
        )


def _watch(stage: VersionedStage, deployment: str) -> str:
    said = ""
    while True:
        info = stage.ask("codedeploy", "get_deployment", deploymentId=deployment)[
            "deploymentInfo"
        ]
        status = str(info["status"])
        if status != said:
            said = status
            say(f"  {status}")
        if status in ("Succeeded", "Failed", "Stopped"):
            reason = info.get("errorInformation", {}).get("message")
            return f"{status}, {reason}" if reason else status
        time.sleep(INTERVAL)


def verify(url: str) -> None:
    """Ask the site for its health, as a visitor would. Raises Stopped."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            with urllib.request.urlopen(  # noqa: S310
                f"{url}/health/ready", timeout=30
            ) as response:
                if "x-request-id" in response.headers:
                    return
                reason = "is answered by something else"
        except urllib.error.HTTPError as error:
            reason = f"answers {error.code}"
            # Ours, and not a gateway's that is still being made.
            if "x-request-id" in error.headers:
                break
        except (OSError, ValueError) as error:
            reason = f"cannot be reached ({error})"
        if time.monotonic() > deadline:
            break
        time.sleep(2)
    raise Stopped(f"{url}/health/ready {reason}.")
