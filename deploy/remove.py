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

from .report import Stopped, complain, say, step
from .stage import NotThere, Stage


def main() -> int:
    """Ask, remove, and return the exit status."""
    parser = argparse.ArgumentParser(prog="deploy.remove")
    parser.add_argument("--stage", required=True)
    options = parser.parse_args()
    try:
        stage = Stage(options.stage)
        bucket = stage.outputs()["MediaBucketName"]
        files = count_files(stage, bucket)
        say(
            f"This removes {stage.stack_name} in {stage.region}: the site is gone then."
        )
        confirm(stage.name, "Type the name of the stage to remove it")
        doomed = not files or asked(
            bucket,
            f"{files} files are in {bucket}, old versions included. Type its name to "
            "delete them for ever, or nothing to keep the bucket",
        )
        with step(f"Remove {stage.stack_name}"):
            stage.serverless("remove")
        if doomed:
            with step(f"Delete the bucket {bucket}"):
                delete(stage, bucket)
    except (Stopped, KeyboardInterrupt) as error:
        complain(f"\n{error}" if str(error) else "\nInterrupted.")
        if not isinstance(error, NotThere):
            complain(f"Next: make info STAGE={options.stage}")
        return 1
    say(
        "Removed. What is left, if you want to be rid of it too: the database"
        f"{'' if doomed else f', the bucket {bucket}'} and the parameters below "
        f"/{stage.configuration['service']}/{stage.name}/."
    )
    return 0


def confirm(expected: str, question: str) -> None:
    """Raise Stopped unless exactly that is typed."""
    if not asked(expected, question):
        raise Stopped("Nothing was removed.")


def asked(expected: str, question: str) -> bool:
    try:
        return input(f"{question}: ").strip() == expected
    except EOFError:
        return False


def count_files(stage: Stage, bucket: str) -> int:
    """Return how many files there are, in all their versions."""
    return sum(1 for _ in versions(stage, bucket).all())


def delete(stage: Stage, bucket: str) -> None:
    """Delete a bucket and all that is in it."""
    for answer in versions(stage, bucket).delete():
        if errors := answer.get("Errors"):
            raise Stopped(f"S3 keeps {errors[0]['Key']}: {errors[0]['Message']}")
    stage.ask("s3", "delete_bucket", Bucket=bucket)


def versions(stage: Stage, bucket: str) -> Any:
    return boto3.resource("s3", region_name=stage.region).Bucket(bucket).object_versions


if __name__ == "__main__":
    sys.exit(main())
