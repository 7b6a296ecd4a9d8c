"""
Remove a stage, after confirmation.

    django-on-lambda remove --stage dev

It asks for the name of the stage, and for the name of the bucket of uploads before it
deletes that too, because the stack does not. The database and the SSM parameters are
not part of the stack, and stay.
"""

from collections.abc import Sequence
from typing import Any

import boto3
from botocore.exceptions import ClientError

from ...commands.remote.responses import check_responses
from ..arguments import add_stage, parser_of, stage_command
from ..report import DeployError, interrupt_on_signals, step, write
from .errors import errors_of_aws
from .lock import StageLock
from .progress import Versions
from .stage import Stage
from .state import report_failure


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask, remove the stage, and return the exit status."""
    parser = parser_of("remove", __doc__)
    add_stage(parser)
    options = parser.parse_args(arguments)
    interrupt_on_signals()
    stage, live = None, Versions()
    try:
        stage = Stage(options.stage, region=options.region)
        bucket, files = uploads(stage)
        live = stage.versions()
        remove(stage, bucket, files)
    except (DeployError, KeyboardInterrupt) as error:
        again = stage_command("remove", options.stage, options.region)
        report_failure(error, stage, live, again)
        return 130 if isinstance(error, KeyboardInterrupt) else 1
    return 0


def remove(stage: Stage, bucket: str, files: int) -> None:
    """
    Remove the stack, and the bucket of uploads if its name is typed.

    ``bucket`` is "" if there is none, and ``files`` the number of object versions in
    it. Raises DeployError.
    """
    write(f"This removes {stage.stack_name} in {stage.region} and takes the site down.")
    if not confirmed(stage.name, "Type the name of the stage to remove it"):
        raise DeployError("Nothing was removed.", advice=stage.command("info"))
    kept = files and not confirmed(
        bucket,
        f"{bucket} contains {files} files, including old versions. Type its name to "
        "delete them permanently, or press Enter to keep the bucket",
    )
    with StageLock(stage, "remove"):
        if files and not kept:
            # Before the stack, which knows the name of the bucket: this takes longest,
            # and after an interruption the same command can be run again.
            with step(f"Delete all files in {bucket}"):
                empty(stage, bucket)
        maybe = "CloudFormation may be removing the stack: it continues by itself."
        with (
            step(f"Remove {stage.stack_name}"),
            stage.progress.change("stack", maybe),
        ):
            stage.serverless("remove")
    if bucket and not kept:
        with step(f"Delete the bucket {bucket}"):
            empty(stage, bucket)
            stage.call("s3", "delete_bucket", Bucket=bucket)
    write(
        "Removed. Not removed: the database"
        f"{f', the bucket {bucket}' if kept else ''} and the SSM parameters below "
        f"/{stage.configuration['service']}/{stage.name}/."
    )


def confirmed(expected: str, question: str) -> bool:
    try:
        return input(f"{question}: ").strip() == expected
    except EOFError:
        return False


def uploads(stage: Stage) -> tuple[str, int]:
    """
    Return the name of the bucket of uploads, and the number of object versions in it.

    The name is "" if the first deployment failed or the bucket was deleted.
    """
    bucket = stage.outputs().get("MediaBucketName", "")
    if not bucket:
        return "", 0
    with errors_of_aws(f"s3 list_object_versions in {bucket}"):
        try:
            return bucket, sum(1 for _ in object_versions(stage, bucket).all())
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchBucket":
                raise
    return "", 0


def empty(stage: Stage, bucket: str) -> None:
    """Delete every version of every object in a bucket. Raises DeployError."""
    stage.progress.note("uploads", f"Files in {bucket} may have been deleted.")
    with errors_of_aws(f"s3 delete_objects in {bucket}"):
        answers = object_versions(stage, bucket).delete()
    for answer in answers:
        if errors := answer.get("Errors"):
            key, reason = errors[0]["Key"], errors[0]["Message"]
            raise DeployError(f"Could not delete {key} from {bucket}: {reason}")
    stage.progress.note("uploads", f"All files in {bucket} are deleted.")


def object_versions(stage: Stage, bucket: str) -> Any:
    s3 = boto3.resource("s3", region_name=stage.region)
    check_responses(s3.meta.client)
    return s3.Bucket(bucket).object_versions
