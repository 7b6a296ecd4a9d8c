"""
Try the bucket of a stage as a browser does: what it accepts, and what it must refuse.

    django-on-lambda bucket --stage prod
    django-on-lambda bucket --bucket NAME --origin https://example.com

It signs as the site does, with the credentials of this machine, stores some 20 small
objects below exports/ and deletes them, with all their versions.
"""

import argparse
import os
from collections.abc import Iterator, Sequence

from ...aws.http import AwsError
from ...commands.remote.region import find_region
from .. import ROOT
from ..arguments import add_stage, parser_of, stage_command
from ..release.errors import NoAccess
from ..release.stage import Stage
from ..report import (
    DeployError,
    command,
    interrupt_on_signals,
    next_command,
    write,
    write_error,
)
from .files import try_files
from .finding import OK, PROBLEM, UNKNOWN, Finding
from .pages import try_pages
from .parts import try_parts
from .rules import try_rules
from .target import Target, origin_of

PAGE = "docs/files.md#try-a-bucket"
GROUPS = {
    "pages": try_pages,
    "files": try_files,
    "parts": try_parts,
    "rules": try_rules,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line for each item, and return 0 if all of them are ok, otherwise 1."""
    parser = parser_of("bucket", __doc__)
    add_stage(parser, required=False)
    parser.add_argument("--bucket", help="another bucket than the stage's")
    parser.add_argument("--origin", help="another origin of pages than the stage's URL")
    options = parser.parse_args(arguments)
    if not options.stage and not (options.bucket and options.origin):
        parser.error("give --stage, or --bucket and --origin")
    interrupt_on_signals()
    try:
        target = find(options)
        target.check()
        return report(target)
    except KeyboardInterrupt:
        return 130
    except DeployError as error:
        write_error(f"{error}\nNext: {next_command(error, again(options))}")
        return 1


def again(options: argparse.Namespace) -> str:
    """Return the command line."""
    given = {"bucket": options.bucket, "origin": options.origin}
    extra = [word for n, value in given.items() if value for word in (f"--{n}", value)]
    if options.stage:
        return stage_command("bucket", options.stage, options.region, extra)
    where = {"region": options.region} if options.region else {}
    return command("bucket", extra, **where)


def find(options: argparse.Namespace) -> Target:
    """Return the bucket of the options, or that of the stage. Raises DeployError."""
    name, origin = options.bucket, options.origin
    if name and origin:
        region = find_region(options.region, folder=ROOT)
        if not region.name:
            raise DeployError(
                f"The region of the bucket {name} is not known: neither serverless.yml "
                "nor AWS_REGION nor the AWS profile names one.",
                first="give --region",
            )
    else:
        stage = Stage(options.stage, region=options.region)
        region = stage.origin
        name = name or stage.outputs().get("MediaBucketName")
        if not name:
            raise DeployError(
                f"The stack {stage.stack_name} in {stage.region} has no output "
                "MediaBucketName: resources/media.yml is not in serverless.yml, or the "
                "first release has failed.",
                advice=stage.command("info"),
            )
        origin = origin or stage.public_url()
    if not origin_of(origin):
        raise DeployError(
            f"The origin of the pages is {origin!r} (--origin), and must be a scheme "
            "and a host.",
            first="give --origin https://example.com",
        )
    return Target(name, region, origin_of(origin))


def report(target: Target) -> int:
    """Print all findings, delete what was made for them, and return the exit status."""
    write(
        f"The bucket {target.bucket.name} in {target.region.name}, for pages of "
        f"{target.origin}; below {target.prefix}"
    )
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"):
        if url := os.environ.get(name):
            write(f"{name} is {url}: the findings are about that server, not S3.")
            break
    findings: list[Finding] = []
    try:
        for finding in examine(target):
            write(str(finding))
            findings.append(finding)
    finally:
        left = clean(target)
        write(str(left))
        findings.append(left)
    bad = [each for each in findings if each.state != OK]
    if not bad:
        write(f"All {len(findings)} items are as expected.")
        return 0
    counts = [
        f"{len(items)} {label}: {', '.join(items)}"
        for state, label in ((PROBLEM, "not as expected"), (UNKNOWN, "not known"))
        if (items := [each.item for each in bad if each.state == state])
    ]
    write(f"{len(findings)} items, {'; '.join(counts)}. Next: {PAGE}")
    return 1


def examine(target: Target) -> Iterator[Finding]:
    """
    Yield a finding for each item, as soon as it is known.

    Raises NoAccess when AWS cannot be asked any more.
    """
    for group, tried in GROUPS.items():
        try:
            yield from tried(target)
        except NoAccess:
            raise
        except (AwsError, DeployError) as error:
            text = " ".join(str(error).split())
            yield Finding(f"other {group}", UNKNOWN, "an answer", text)


def clean(target: Target) -> Finding:
    """Delete what was made, and return what is left."""
    expected = "no object, no upload"
    try:
        target.clean()
        versions, uploads = target.left()
    except DeployError as error:
        text = f"objects below {target.prefix}: {' '.join(str(error).split())}"
        return Finding("left in the bucket", PROBLEM, expected, text)
    except KeyboardInterrupt:
        write_error(
            f"Interrupted while the objects below {target.prefix} in "
            f"{target.bucket.name} were deleted. The lifecycle rule deletes the others "
            "after a day."
        )
        raise
    found = f"{len(versions)} objects, {len(uploads)} uploads"
    ok = not versions and not uploads
    return Finding(
        "left in the bucket", OK if ok else PROBLEM, expected, expected if ok else found
    )
