"""Shift the traffic to new versions, at once or gradually, and move it back."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable

from ..configuration import Configuration
from ..report import DeployError, cleanup, write
from .progress import Versions
from .stage import LIVE, AliasMoved, Stage

# Functions that serve no users first: they must know the tasks that the new web
# function enqueues. The traffic moves back in reverse order.
ORDER = ("manage", "schedule", "tasks", "http")
POLL_SECONDS = 5.0
# How long the site may take to answer: a new domain or gateway needs some time.
SITE_SECONDS = 60.0
SELF = (
    "It continues by itself, and moves all traffic of http to the new version, or back "
    "if an alarm is in ALARM."
)


def shift(
    stage: Stage,
    live: Versions,
    versions: Versions,
    check: Callable[[], None] | None = None,
) -> None:
    """
    Shift the traffic from the live versions to these.

    With ``check``, the traffic of the web function shifts gradually, while ``check`` is
    called every few seconds and raises DeployError if the new version is not healthy.

    Raises DeployError if that fails; some functions may have moved by then.
    """
    for name in ordered(versions):
        if live.get(name) == versions[name]:
            continue
        if name == "http" and check and name in live:
            _shift_gradually(stage, live[name], versions[name], check)
        else:
            stage.set_alias(name, versions[name], instead_of=live.get(name))


def move_back(stage: Stage, live: Versions, versions: Versions) -> None:
    """
    Move the traffic from the live versions back to these.

    A function that another command has moved in the meantime stays.
    """
    for name in reversed(ordered(versions)):
        try:
            stage.set_alias(name, versions[name], instead_of=live.get(name))
        except AliasMoved as error:
            write(f"  {error} It stays.")


def ordered(versions: Versions) -> list[str]:
    """Return the functions in the order in which they move: a site's own ones first."""
    own = [name for name in versions if name not in ORDER]
    return [*own, *(name for name in ORDER if name in versions)]


def _shift_gradually(
    stage: Stage, old: str, new: str, check: Callable[[], None]
) -> None:
    """Shift the web function's alias with CodeDeploy, and wait for the end."""
    deployment = ""
    try:
        with stage.progress.change(
            "shift", f"CodeDeploy may shift the traffic. {SELF}"
        ):
            deployment = _create_deployment(stage, old, new)
        write(f"  CodeDeploy deployment {deployment}")
        stage.progress.note(
            "shift", f"CodeDeploy's deployment {deployment} was in progress. {SELF}"
        )
        status = _wait(stage, deployment, check)
        stage.progress.forget("shift")
    except (KeyboardInterrupt, DeployError) as error:
        # It must not continue unattended. An interrupt may arrive after CodeDeploy
        # has started, but before its ID is known.
        if deployment or isinstance(error, KeyboardInterrupt):
            with cleanup(error, "Stop the CodeDeploy deployment and roll it back"):
                _stop(stage)
                stage.progress.forget("shift")
        raise
    if status != "Succeeded":
        raise DeployError(f"The CodeDeploy deployment {deployment} ended: {status}.")
    stage.progress.live["http"] = new


def _create_deployment(stage: Stage, old: str, new: str) -> str:
    # https://docs.aws.amazon.com/codedeploy/latest/userguide/reference-appspec-file-structure-resources.html
    function = {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "Name": stage.functions["http"],
            "Alias": LIVE,
            "CurrentVersion": old,
            "TargetVersion": new,
        },
    }
    plan = {"version": 0.0, "Resources": [{"http": function}]}
    answer = stage.call(
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


def _stop(stage: Stage) -> None:
    """Stop every deployment of the stage; CodeDeploy runs one at a time."""
    answer = stage.call(
        "codedeploy",
        "list_deployments",
        applicationName=stage.stack_name,
        deploymentGroupName="http",
        includeOnlyStatuses=["Created", "Queued", "InProgress", "Ready"],
    )
    for deployment in answer["deployments"]:
        stage.call(
            "codedeploy",
            "stop_deployment",
            deploymentId=deployment,
            autoRollbackEnabled=True,
        )


def _wait(stage: Stage, deployment: str, check: Callable[[], None]) -> str:
    """
    Print each status of a deployment, and return the last one.

    Raises what ``check`` raises.
    """
    written = ""
    while True:
        info = stage.call("codedeploy", "get_deployment", deploymentId=deployment)[
            "deploymentInfo"
        ]
        status = str(info["status"])
        if status != written:
            written = status
            write(f"  {status}")
        if status in ("Succeeded", "Failed", "Stopped"):
            reason = info.get("errorInformation", {}).get("message")
            return f"{status}, {reason}" if reason else status
        # A tenth of few requests may be none.
        check()
        time.sleep(POLL_SECONDS)


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """Treat a redirect as a response: it may lead to another site, for a login."""

    def redirect_request(self, *arguments: object) -> None:
        return None


def check_site(url: str, configuration: Configuration) -> None:
    """
    Request the first page of the configuration at the site's public URL.

    Raises DeployError unless the site itself serves it.
    """
    page = f"{url}{configuration.requested[0]}"
    opener = urllib.request.build_opener(NoRedirect)
    deadline = time.monotonic() + SITE_SECONDS
    while True:
        try:
            try:
                response = opener.open(page, timeout=30)
            except urllib.error.HTTPError as error:
                response = error
            with response:
                status, own = response.status, "x-request-id" in response.headers
            healthy = configuration.is_healthy(status)
            if own and healthy:
                return
            reason = (
                "was answered by another site: it has no x-request-id header"
                if healthy
                else f"returned status {status}"
            )
            # From the site, not from a gateway that is still being created.
            if own:
                break
        except (OSError, ValueError) as error:
            reason = f"could not be reached: {error}"
        if time.monotonic() > deadline:
            break
        time.sleep(2)
    raise DeployError(f"{page} {reason}.")
