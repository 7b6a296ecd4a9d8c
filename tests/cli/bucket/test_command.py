"""
What the command finds in a bucket of moto, and what it leaves there.

moto checks neither signatures nor checksums: tests/cloud/test_s3.py asks a server that
does.
"""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from apps.aws_lambda.aws.http import AwsError
from apps.aws_lambda.cli.bucket import command, rules
from apps.aws_lambda.cli.bucket.files import try_files
from apps.aws_lambda.cli.bucket.finding import OK, PROBLEM, UNKNOWN, Finding
from apps.aws_lambda.cli.bucket.pages import try_pages
from apps.aws_lambda.cli.bucket.parts import try_parts
from apps.aws_lambda.cli.bucket.rules import try_rules
from apps.aws_lambda.cli.bucket.target import Target
from apps.aws_lambda.cli.release.errors import NoAccess, Refused
from apps.aws_lambda.commands.remote.access import Barrier
from apps.aws_lambda.commands.remote.region import Region
from tests.cli.bucket import buckets
from tests.cli.bucket.buckets import CORS, DELETE_ANSWERS, END_UPLOADS, ORIGIN
from tests.services.aws import AWS, REGION
from tests.services.http_stub import HttpStub

SECRET = "wJalrXUtnFEMI-a-secret-of-the-developer"
OPTIONS = ["--bucket", "media", "--origin", f"{ORIGIN}/shop/", "--region", REGION]
# moto accepts them.
ACCEPTED = {
    *("another content", "another length", "another type", "another disposition"),
    *("another checksum", "a header left out", "a header that is not signed"),
    *("another key", "another method", "an altered signature", "a longer validity"),
    *("no signature", "an expired link", "stored of what is refused"),
    *("a download of another name", "an expired download", "a list without link"),
    *("a part of another content", "a part of another length"),
    *("a part of another number", "parts of what is refused"),
    "the end with another size",
}
# moto does not keep a checksum that it is given.
WITHOUT_CHECKSUM = {"stored object", "list of parts", "the end"}
# moto fails with status 500.
FAILING = {"a part after the end", "a part after cancelling"}


@pytest.fixture(scope="module")
def server() -> Iterator[AWS]:
    with AWS() as aws:
        yield aws


@pytest.fixture
def client(server: AWS, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The client of boto3 for moto, where the bucket "media" is."""
    variables = {**server.environment(), "AWS_SECRET_ACCESS_KEY": SECRET}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    # It would keep the credentials of an earlier test.
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    monkeypatch.setattr(command, "interrupt_on_signals", lambda: None)
    client = server.client("s3")
    buckets.create_bucket(client, "media")
    yield client
    server.reset()


@pytest.fixture
def target(client: Any) -> Target:
    return Target("media", Region(REGION, "--region"), ORIGIN)


def found(lines: list[str]) -> dict[str, str]:
    """Return the state of each item in the output."""
    return {
        line[8:38].strip(): line[:8].strip()
        for line in lines
        if line[:8].strip() in (OK, PROBLEM, UNKNOWN)
    }


def states(findings: Iterator[Finding]) -> dict[str, str]:
    return {finding.item: finding.state for finding in findings}


def test_a_server_that_refuses_nothing_is_found_out_and_left_as_it_was(
    client: Any, capsys: pytest.CaptureFixture[str]
):
    client.put_object(Bucket="media", Key="exports/of-the-site", Body=b"kept")

    assert command.main(OPTIONS) == 1

    output = capsys.readouterr().out
    items = found(output.splitlines())
    named = {state: {i for i in items if items[i] == state} for state in items.values()}
    assert named[PROBLEM] == ACCEPTED | WITHOUT_CHECKSUM
    assert named[UNKNOWN] == FAILING
    assert {"preflight", "signed upload", "encryption", "exports/"} <= named[OK]
    assert "problem another type                  expected 403, found 200\n" in output
    assert (
        "ok      another file of this name     expected 412, found 412 "
        "PreconditionFailed\n"
    ) in output
    first, endpoint, *_, last = output.splitlines()
    assert first.startswith(f"The bucket media in {REGION}, for pages of {ORIGIN}; bel")
    assert "the findings are about that server, not S3." in endpoint
    assert last.startswith(f"{len(items)} items, {len(ACCEPTED | WITHOUT_CHECKSUM)} ")
    assert last.endswith(". Next: docs/files.md#try-a-bucket")
    assert SECRET not in output
    assert "Signature=" not in output
    assert buckets.everything_in(client, "media") == ["exports/of-the-site"]


def interrupt(target: Target) -> Iterator[Finding]:
    """Leave an object, a version that another replaced, and an upload behind."""
    for _ in range(2):
        target.call("put_object", Key=target.key("a"), Body=b"a")
    target.call("delete_object", Key=target.key("a"))
    target.call("create_multipart_upload", Key=target.key("b"))
    yield Finding("first", OK, "this", "this")
    raise KeyboardInterrupt


def lose(target: Target) -> Iterator[Finding]:
    yield from ()
    raise AwsError("s3.example did not answer in time")


def log_out(target: Target) -> Iterator[Finding]:
    target.call("put_object", Key=target.key("a"), Body=b"a")
    yield from ()
    raise NoAccess(Barrier("The AWS session has expired.", "log in"))


def test_after_ctrl_c_everything_is_deleted(
    client: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(command, "GROUPS", {"files": interrupt, "rules": try_rules})

    assert command.main(OPTIONS) == 130

    *_, first, left = capsys.readouterr().out.splitlines()
    assert first == "ok      first                         found this, as expected"
    assert left.startswith("ok      left in the bucket ")
    assert buckets.everything_in(client, "media") == []


def test_after_the_end_of_a_session_everything_is_deleted_and_the_way_back_printed(
    client: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(command, "GROUPS", {"files": log_out, "rules": try_rules})

    assert command.main(OPTIONS) == 1

    output, error = capsys.readouterr()
    assert "unfinished uploads" not in output
    assert error == (
        "The AWS session has expired.\nNext: log in, then run: make bucket "
        f"REGION={REGION} ARGS='--bucket media --origin {ORIGIN}/shop/'\n"
    )
    assert buckets.everything_in(client, "media") == []


def test_what_s3_does_not_answer_is_unknown_and_the_rest_is_tried(
    client: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(command, "GROUPS", {"files": lose, "rules": try_rules})

    assert command.main(OPTIONS) == 1

    output = capsys.readouterr().out
    assert found(output.splitlines()) == {
        "other files": UNKNOWN,
        "unfinished uploads": OK,
        "exports/": OK,
        "left in the bucket": OK,
    }
    assert "4 items, 1 not known: other files. Next: " in output


def test_a_bucket_that_is_as_expected_is_the_only_success(
    client: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(command, "GROUPS", {"rules": try_rules})

    assert command.main(OPTIONS) == 0

    assert capsys.readouterr().out.endswith("\nAll 3 items are as expected.\n")


def test_what_cannot_be_deleted_is_reported(
    client: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def refuse(self: Target) -> None:
        raise Refused("AWS refused s3 delete_object of media: Access Denied")

    monkeypatch.setattr(command, "GROUPS", {"rules": try_rules})
    monkeypatch.setattr(Target, "clean", refuse)

    assert command.main(OPTIONS) == 1

    assert "problem left in the bucket            expected no object, no upload, " in (
        output := capsys.readouterr().out
    )
    assert "AWS refused s3 delete_object of media: Access Denied" in output


def test_what_ctrl_c_leaves_while_it_is_deleted_is_named(
    client: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def be_interrupted(self: Target) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "GROUPS", {"rules": try_rules})
    monkeypatch.setattr(Target, "clean", be_interrupted)

    assert command.main(OPTIONS) == 130

    error = capsys.readouterr().err
    assert error.startswith("Interrupted while the objects below exports/try-")


def test_what_is_left_in_spite_of_the_answer_is_reported(
    target: Target, monkeypatch: pytest.MonkeyPatch
):
    target.call("put_object", Key=target.key("a"), Body=b"a")
    monkeypatch.setattr(Target, "clean", lambda self: None)

    line = command.clean(target)

    assert (line.state, line.found) == (PROBLEM, "1 objects, 0 uploads")


@pytest.mark.parametrize(
    ("given", "problems"),
    [
        ([CORS], {}),
        ([{**CORS, "AllowedOrigins": ["https://other.example"]}], {"preflight"}),
        ([{**CORS, "AllowedMethods": ["GET"]}], {"preflight"}),
        ([{**CORS, "AllowedHeaders": ["content-type"]}], {"preflight"}),
        ([{**CORS, "AllowedOrigins": ["*"]}], {"preflight of another site"}),
        (
            [{**CORS, "AllowedMethods": ["GET", "PUT", "DELETE"]}],
            {"preflight of DELETE"},
        ),
    ],
    ids=["as made", "origin", "method", "header", "any origin", "DELETE"],
)
def test_which_pages_may_send_files_is_found(
    client: Any, target: Target, given: list[dict[str, Any]], problems: set[str]
):
    buckets.allow(client, "media", *given)

    items = states(try_pages(target))

    assert len(items) == 3
    assert {item for item in items if items[item] != OK} == {*problems}


@pytest.mark.parametrize(
    ("given", "problems"),
    [
        ([END_UPLOADS], {"exports/"}),
        ([DELETE_ANSWERS], {"unfinished uploads"}),
        ([END_UPLOADS, {**DELETE_ANSWERS, "Status": "Disabled"}], {"exports/"}),
        ([END_UPLOADS, {**DELETE_ANSWERS, "Filter": {"Prefix": ""}}], {"exports/"}),
        ([END_UPLOADS, {**DELETE_ANSWERS, "Filter": {"Prefix": "exp"}}], {}),
        (
            [{**END_UPLOADS, "Filter": {"Prefix": "exports/"}}, DELETE_ANSWERS],
            {"unfinished uploads"},
        ),
        (
            [
                END_UPLOADS,
                {**DELETE_ANSWERS, "Filter": {"Tag": {"Key": "a", "Value": "b"}}},
            ],
            {"exports/"},
        ),
    ],
    ids=["uploads", "answers", "disabled", "all", "shorter", "some", "tag"],
)
def test_which_files_end_by_a_rule_is_found(
    client: Any, target: Target, given: list[dict[str, Any]], problems: set[str]
):
    buckets.end(client, "media", *given)

    items = states(try_rules(target))

    assert {item for item in items if items[item] != OK} == {*problems}


def test_a_rule_for_some_files_ends_not_all_uploads():
    # moto does not keep this filter.
    some = {"And": {"Prefix": "", "ObjectSizeGreaterThan": 1}}

    assert rules.unfinished({**END_UPLOADS, "Filter": some}) == 0
    assert rules.unfinished(END_UPLOADS) == 2
    # As an earlier version of the API has it.
    assert rules.unfinished({**END_UPLOADS, "Filter": {}, "Prefix": ""}) == 2


def test_a_bucket_without_rules_and_encryption_is_found(client: Any, target: Target):
    client.delete_bucket_lifecycle(Bucket="media")
    client.delete_bucket_encryption(Bucket="media")

    assert {*states(try_rules(target)).values()} == {PROBLEM}
    assert states(try_files(target))["encryption"] == PROBLEM


def test_rules_that_may_not_be_read_are_unknown(
    target: Target, monkeypatch: pytest.MonkeyPatch
):
    def refuse(operation: str) -> None:
        raise Refused(f"AWS refused s3 {operation} of media: Access Denied")

    monkeypatch.setattr(target, "call", refuse)

    [first, second] = try_rules(target)

    assert (first.state, second.state) == (UNKNOWN, UNKNOWN)
    assert first.found.endswith(
        "get_bucket_lifecycle_configuration of media: Access Denied"
    )


def test_where_nothing_is_accepted_no_refusal_counts(
    target: Target, monkeypatch: pytest.MonkeyPatch
):
    denied = "<Error><Code>AccessDenied</Code></Error>"
    with HttpStub(lambda request: (403, denied)) as stub:
        monkeypatch.setenv("AWS_ENDPOINT_URL", stub.url)
        [file] = try_files(target)
        [upload] = try_parts(target)

    assert str(file) == (
        "problem signed upload                 expected 200, found 403 AccessDenied"
    )
    assert (upload.item, upload.state) == ("upload in parts", PROBLEM)
    assert upload.found == "S3 returned AccessDenied"


def test_a_page_that_cannot_read_the_answer_is_found(
    target: Target, monkeypatch: pytest.MonkeyPatch
):
    with HttpStub(lambda request: (200, "")) as stub:
        monkeypatch.setenv("AWS_ENDPOINT_URL", stub.url)
        _, answer, *_ = try_files(target)

    assert (answer.item, answer.state) == ("its answer", PROBLEM)


@pytest.mark.parametrize("origin", ["https://other.example", ""])
def test_a_preflight_that_allows_other_pages_only_is_found(
    origin: str, target: Target, monkeypatch: pytest.MonkeyPatch
):
    allowed = {"origin": origin, "methods": "GET, PUT", "headers": "*"}
    headers = {f"access-control-allow-{name}": allowed[name] for name in allowed}
    with HttpStub(lambda request: (200, "", headers)) as stub:
        monkeypatch.setenv("AWS_ENDPOINT_URL", stub.url)
        items = states(try_pages(target))

    assert items["preflight"] == PROBLEM


def test_a_server_that_fails_has_not_judged(
    target: Target, monkeypatch: pytest.MonkeyPatch
):
    with HttpStub(lambda request: (503, "")) as stub:
        monkeypatch.setenv("AWS_ENDPOINT_URL", stub.url)
        [file] = try_files(target)
        pages = states(try_pages(target))

    assert file.state == UNKNOWN
    assert {*pages.values()} == {UNKNOWN}


def error_of(capsys: pytest.CaptureFixture[str], *options: str) -> list[str]:
    """Return the lines of a command that cannot begin."""
    assert command.main(options) == 1
    output, error = capsys.readouterr()
    assert output == ""
    return error.splitlines()


def test_a_bucket_that_does_not_exist_is_reported(
    client: Any, capsys: pytest.CaptureFixture[str]
):
    lines = error_of(capsys, *OPTIONS, "--bucket", "medai")

    assert lines[0].startswith("AWS refused s3 list_object_versions of medai: ")
    assert "does not exist" in lines[0]


def test_a_bucket_of_another_region_is_reported_with_it(
    client: Any, capsys: pytest.CaptureFixture[str]
):
    lines = error_of(capsys, *OPTIONS, "--region", "eu-west-1")

    assert lines[0].startswith(
        f"The bucket media is in {REGION}, and the region is another one: eu-west-1 is "
        "from --region"
    )
    assert lines[1].startswith(f"Next: give --region {REGION}, then run: make bucket")


@pytest.mark.parametrize("origin", ["example.com", "null", "ftp://example.com"])
def test_an_origin_without_a_scheme_and_a_host_is_reported(
    origin: str, capsys: pytest.CaptureFixture[str]
):
    lines = error_of(capsys, *OPTIONS, "--origin", origin)

    assert lines[0] == (
        f"The origin of the pages is '{origin}' (--origin), and must be a scheme and a "
        "host."
    )
    assert lines[1].startswith("Next: give --origin https://example.com, then run: ")


def test_without_a_region_the_option_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(command, "find_region", lambda *_, **__: Region("", ""))

    lines = error_of(capsys, *OPTIONS)

    assert lines[0].startswith("The region of the bucket media is not known: ")


@pytest.mark.parametrize("options", [[], ["--bucket", "a"], ["--origin", "https://a"]])
def test_a_stage_or_a_bucket_with_an_origin_is_needed(
    options: list[str], capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(SystemExit):
        command.main(options)

    assert "give --stage, or --bucket and --origin" in capsys.readouterr().err


class Released:
    """A stage, of which the command needs its outputs and its URL."""

    stack_name = "site-prod"
    region = REGION
    origin = Region(REGION, "serverless.yml")

    def __init__(self, name: str, region: str = "") -> None:
        self.name = name

    def outputs(self) -> dict[str, str]:
        return {"MediaBucketName": "media"} if self.name == "prod" else {}

    def public_url(self) -> str:
        return "https://site.example/shop"

    def command(self, name: str) -> str:
        return f"make {name} STAGE={self.name}"


def test_the_bucket_and_the_origin_are_those_of_the_stage(
    client: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(command, "Stage", Released)
    monkeypatch.setattr(command, "GROUPS", {"pages": try_pages})

    assert command.main(["--stage", "prod"]) == 1

    output = capsys.readouterr().out
    assert (
        f"The bucket media in {REGION}, for pages of https://site.example; " in output
    )
    # The bucket allows another origin.
    assert found(output.splitlines())["preflight"] == PROBLEM


def test_a_stage_without_a_bucket_is_reported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(command, "Stage", Released)

    lines = error_of(capsys, "--stage", "dev")

    assert lines[0].startswith(
        f"The stack site-prod in {REGION} has no output MediaBucketName: "
    )
    assert lines[1] == "Next: make info STAGE=dev"
