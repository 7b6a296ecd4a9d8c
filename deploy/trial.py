"""Try a version that nobody is sent to yet: its commands, and its health."""

import json

from apps.aws_lambda.commands.remote.client import call
from apps.aws_lambda.commands.remote.errors import RemoteError, Target

from .report import Stopped, complain, say, step
from .versions import VersionedStage, Versions


def manage(
    stage: VersionedStage, versions: Versions, argv: list[str], title: str
) -> None:
    """Run a management command on the new version. Raises Stopped if it fails."""
    with step(title):
        target = Target(stage.functions["manage"], versions["manage"])
        try:
            code = call(
                target,
                argv,
                write=lambda line: say(f"  {line}"),
                notify=lambda line: complain(f"  {line}"),
                region=stage.region,
            )
        except RemoteError as error:
            raise Stopped(str(error)) from error
        if code:
            raise Stopped(f"{' '.join(argv)} ended with exit code {code}.")


def check_health(stage: VersionedStage, version: str) -> None:
    """Invoke the version as a gateway would, past its alias. Raises Stopped."""
    event = {
        "version": "2.0",
        "rawPath": "/health/ready",
        "rawQueryString": "",
        "headers": {},
        "requestContext": {
            "http": {"method": "GET", "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1"}
        },
        "isBase64Encoded": False,
    }
    answer = stage.ask(
        "lambda",
        "invoke",
        FunctionName=stage.functions["http"],
        Qualifier=version,
        Payload=json.dumps(event).encode(),
    )
    result = json.loads(answer["Payload"].read())
    status = result.get("statusCode") if isinstance(result, dict) else None
    if "FunctionError" in answer or status != 200:
        raise Stopped(
            f"Version {version} is not well: {json.dumps(result)[:500]}\n"
            f"Its log: make logs STAGE={stage.name}"
        )
