"""
Publish a new version, check it, and shift the traffic to it.

Each step either completes or leaves the stage as it was, and only the last steps move
traffic. After any failure or interruption the site runs on the previous version, and
the same command can be run again.
"""

import json
from itertools import cycle
from urllib.parse import urlsplit

from ..configuration import Configuration
from ..report import DeployError, cleanup, step, write
from . import manage, traffic
from .lock import StageLock
from .progress import Versions
from .references import parameters_version
from .stage import PREVIOUS, Stage, describe

# What is not known after `serverless deploy` has failed and AWS cannot be asked.
WITH_LIVE = (
    "CloudFormation may be updating the stack: it continues by itself. If it fails, it "
    "points the aliases to the versions of the release before, which may be older."
)
WITHOUT_LIVE = (
    "CloudFormation may be creating the stack: it continues by itself. If it succeeds, "
    "the new version is live, with a database that is not migrated."
)


def release(
    stage: Stage,
    live: Versions,
    lock: StageLock,
    *,
    url: str | None = None,
    at_once: bool = False,
) -> None:
    """
    Release this folder to a stage on which these versions are live.

    ``lock`` is that of the stage, taken here if there was no bucket for it. ``url`` is
    where to check the site, if not at the stage's own URL, and ``at_once`` overrides
    the parameter trafficShift. Raises DeployError.
    """
    configuration = Configuration.read()
    try:
        with step("Package and deploy the new version, without traffic"):
            deploy(stage, live)
    except BaseException as error:
        if live:
            # When CloudFormation rolls back an update, it points the alias to the
            # version in the previous template, which a release has moved since.
            title = "Wait for CloudFormation, and restore the live versions"
            with cleanup(error, title):
                stage.wait_for_update()
                lock.check()
                traffic.move_back(stage, {}, live)
        raise
    lock.take()
    new = stage.published()
    if not live:
        stage.progress.live = {**new}
    elif new != live:
        stage.progress.note("versions", f"Deployed: {describe(new)}.")
    write(
        f"  new: {describe(new)}" if new != live else f"  unchanged: {describe(live)}"
    )
    run_command(stage, new, ["migrate", "--plan"], "Show the migration plan")
    run_command(stage, new, ["migrate", "--noinput"], "Migrate the database")
    stage.progress.note("migrations", f"The migrations of {describe(new)} are applied.")
    run_command(stage, new, ["createcachetable"], "Create the cache table if missing")
    # Of this host the site accepts requests; `url` may be that of a proxy.
    public_url = stage.public_url()
    url = url or public_url
    pages = cycle(configuration.requested)

    def check() -> None:
        check_health(stage, new["http"], public_url, configuration, next(pages))

    with step("Check the health of the new version"):
        check()
    before = stage.versions(PREVIOUS)
    lock.check()
    try:
        if new != live:
            stage.set_previous(live)
        gradually = stage.traffic_shift != "AllAtOnce" and not at_once
        how = f", {stage.traffic_shift}" if gradually else ""
        with step(f"Shift the traffic{how}"):
            traffic.shift(stage, live, new, check if gradually else None)
        with step(f"Check the site at {url}"):
            traffic.check_site(url, configuration)
    except BaseException as error:
        if live:
            with cleanup(error, f"Move the traffic back to {describe(live)}"):
                traffic.move_back(stage, new, live)
                stage.set_previous(before)
        raise
    write(f"Released: {url}/ is served by {describe(new)}.")
    with step("Delete old versions"):
        stage.delete_old_versions()


def deploy(stage: Stage, live: Versions) -> None:
    """Publish new versions with CloudFormation; the aliases stay on ``live``."""
    # Lambda publishes no version if only the value of a parameter has changed, and
    # environments read it when they start.
    found = ["--param", f"parametersVersion={parameters_version(stage)}"]
    kept = ",".join(f"{name}:{version}" for name, version in live.items())
    found += ["--param", f"live={kept}"] if kept else []
    with stage.progress.change("stack", WITH_LIVE if live else WITHOUT_LIVE):
        stage.serverless("deploy", *found)


def run_command(stage: Stage, versions: Versions, argv: list[str], title: str) -> None:
    """Run a management command on a version. Raises DeployError if it fails."""
    with step(title):
        code = manage.run(stage, argv, versions["manage"])
        if code:
            raise DeployError(f"{' '.join(argv)} failed with exit code {code}.")


def check_health(
    stage: Stage, version: str, url: str, configuration: Configuration, page: str
) -> None:
    """
    Invoke a version of the web function with a request for a page.

    ``url`` is the stage's own, whose host name the site accepts. Raises DeployError.
    """
    event = {
        "version": "2.0",
        "rawPath": page,
        "rawQueryString": "",
        "headers": {"host": urlsplit(url).netloc},
        "requestContext": {
            "http": {"method": "GET", "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1"}
        },
        "isBase64Encoded": False,
    }
    answer = stage.call(
        "lambda",
        "invoke",
        FunctionName=stage.functions["http"],
        Qualifier=version,
        Payload=json.dumps(event).encode(),
    )
    result = json.loads(answer["Payload"].read())
    status = result.get("statusCode", 0) if isinstance(result, dict) else 0
    if "FunctionError" in answer or not configuration.is_healthy(status):
        raise DeployError(
            f"Version {version} of {stage.functions['http']} failed its health check, "
            f"{page}: "
            f"{json.dumps(result)[:500]}\n"
            f"To see its log, run: {stage.command('logs')}"
        )
