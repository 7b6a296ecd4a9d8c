"""
Remove a stage: `make remove STAGE=dev`.

The name of the stage has to be typed first, and the name of the bucket of
uploads before that is deleted, too: the stack leaves it. The database and the
parameters are not the stack's, and stay.
"""

import argparse
import sys
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from ..report import Stopped, heed_signals, say, step
from .situation import explain
from .stage import Stage
from .versions import VersionedStage, Versions


def main() -> int:
    """Ask, remove, and return the exit status."""
    parser = argparse.ArgumentParser(prog="deploy.remove")
    parser.add_argument("--stage", required=True)
    options = parser.parse_args()
    heed_signals()
    stage, live = None, Versions()
    try:
        stage = VersionedStage(options.stage)
        bucket, files = uploads(stage)
        live = stage.versions()
        remove(stage, bucket, files)
    except (Stopped, KeyboardInterrupt) as error:
        explain(error, stage, live, f"make remove STAGE={options.stage}")
        return 130 if isinstance(error, KeyboardInterrupt) else 1
    return 0


def remove(stage: VersionedStage, bucket: str, files: int) -> None:
    """Remove the stack, and the bucket if its name is typed."""
    say(f"This removes {stage.stack_name} in {stage.region}: the site is gone then.")
    if not asked(stage.name, "Type the name of the stage to remove it"):
        raise Stopped("Nothing was removed.", advice=f"make info STAGE={stage.name}")
    kept = files and not asked(
        bucket,
        f"{files} files are in {bucket}, old versions included. Type its name to "
        "delete them for ever, or nothing to keep the bucket",
    )
    if files and not kept:
        # Before the stack, which knows the bucket: it takes longest, and whoever
        # cuts it off can give the same command again.
        with step(f"Delete all files in {bucket}"):
            empty(stage, bucket)
    with step(f"Remove {stage.stack_name}"):
        stage.serverless("remove")
    if bucket and not kept:
        with step(f"Delete the bucket {bucket}"):
            empty(stage, bucket)
            stage.ask("s3", "delete_bucket", Bucket=bucket)
    say(
        "Removed. What is left, if you want to be rid of it too: the database"
        f"{f', the bucket {bucket}' if kept else ''} and the parameters below "
        f"/{stage.configuration['service']}/{stage.name}/."
    )


def asked(expected: str, question: str) -> bool:
    try:
        return input(f"{question}: ").strip() == expected
    except EOFError:
        return False


def uploads(stage: Stage) -> tuple[str, int]:
    """
    Return the bucket of uploads, and how many files it has in all their versions.

    No name, where the first deployment failed or somebody has deleted the bucket.
    """
    bucket = stage.outputs().get("MediaBucketName", "")
    if not bucket:
        return "", 0
    try:
        return bucket, sum(1 for _ in files_of(stage, bucket).all())
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchBucket":
            return "", 0
        raise Stopped(f"S3 does not show {bucket}: {error}") from error
    except BotoCoreError as error:
        raise Stopped(f"S3 cannot be asked: {error}") from error


def empty(stage: Stage, bucket: str) -> None:
    """Delete all that is in a bucket, in all its versions."""
    try:
        answers = files_of(stage, bucket).delete()
    except (BotoCoreError, ClientError) as error:
        raise Stopped(f"S3 keeps {bucket}: {error}") from error
    for answer in answers:
        if errors := answer.get("Errors"):
            raise Stopped(f"S3 keeps {errors[0]['Key']}: {errors[0]['Message']}")


def files_of(stage: Stage, bucket: str) -> Any:
    return boto3.resource("s3", region_name=stage.region).Bucket(bucket).object_versions


if __name__ == "__main__":
    sys.exit(main())
