"""
A session that expires in the middle of a release: what is printed is what is true.

Each release of the series starts where the one before has ended, with the command that
this has printed.
"""

import re
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path

import psycopg
import pytest

from apps.aws_lambda.cli.release.stage import describe
from tests.cli.release.cloud import STACK, Cloud
from tests.cli.release.commands import (
    changed,
    live,
    release,
    release_arguments,
    run,
    set_secrets,
    versions,
)
from tests.cli.release.hold import request, target
from tests.services.expired import Session
from tests.services.local_lambda import Answer, Asked

# They run a package for Lambda.
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Lambda is Linux")

MIGRATION = """
from django.db import migrations

class Migration(migrations.Migration):
    dependencies = [("documents", {last!r})]
    operations = [migrations.RunSQL("CREATE TABLE added (id int)")]
"""
INVOKE = f"/2015-03-31/functions/{STACK}-{{}}/invocations"


@pytest.fixture(scope="module")
def stage(cloud: Cloud, native: Path, database: str) -> Cloud:
    """Return a stage with one release."""
    set_secrets(cloud, database)
    status, output = release(cloud, native)
    assert status == 0, output
    return cloud


@pytest.fixture(scope="module")
def make(native: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """Return a function that makes a new version, with a migration that is new."""
    folder = tmp_path_factory.mktemp("versions")
    migrations = Path("apps/documents/migrations")
    last = max(path.stem for path in migrations.glob("0*.py"))
    numbers = count(2)

    def make() -> Path:
        files = {
            "apps__documents__migrations__0999_added": MIGRATION.format(last=last),
            "project__number": f"NUMBER = {next(numbers)}\n",
        }
        return changed(native, folder / "version.zip", **files)

    return make


def lock_exists(stage: Cloud) -> bool:
    s3 = stage.aws.client("s3")
    return any(
        entry["Key"].endswith("release-lock.json")
        for bucket in s3.list_buckets()["Buckets"]
        for entry in s3.list_objects_v2(Bucket=bucket["Name"]).get("Contents", ())
    )


def has_migrated(database: str) -> bool:
    with psycopg.connect(database) as connection:
        rows = connection.execute("SELECT to_regclass('added') IS NOT NULL")
        return bool(rows.fetchone()[0])  # type: ignore[index]


def published(stage: Cloud) -> int:
    """Return the newest version of the web function."""
    found = stage.aws.client("lambda").list_versions_by_function(
        FunctionName=f"{STACK}-http"
    )["Versions"]
    return max(int(v["Version"]) for v in found if v["Version"] != "$LATEST")


def words(text: str) -> set[str]:
    """Return a description of versions in any order."""
    return {*text.removeprefix("versions ").split(", ")}


def end(
    stage: Cloud, database: str, archive: Path, ends: Callable[[Asked], bool]
) -> tuple[int, str, Session]:
    """
    Release until the session ends, and compare what is printed with the local AWS.

    Return the exit status, the output, and the session.
    """
    before, newest, migrated = versions(stage), published(stage), has_migrated(database)
    was_locked = lock_exists(stage)
    session = Session(ends)
    stage.functions.between = session
    arguments = release_arguments(stage, archive)
    try:
        status, output = run(stage, "release", *arguments)
    finally:
        stage.functions.between = lambda asked, respond: respond(asked)
    now = versions(stage)
    assert "Traceback" not in output
    if not was_locked:
        assert ("could not be deleted" in output) == lock_exists(stage), output
    if status == 0:
        assert describe(now) in output
        return status, output, session

    assert status == 1, output
    assert "The AWS session has expired (ExpiredToken" in output
    first = "replace AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN"
    last = output.splitlines()[-1]
    assert last.startswith(f"Next: {first}"), output
    assert ", then run: make deploy STAGE=prod ARGS='--param" in last
    # AWS has refused what this would be about.
    assert "may have moved" not in output
    # Nothing is reported as taken back that was not.
    assert "as before." not in output
    if "» Move the traffic back" in output:
        assert "The cleanup failed: Move the traffic back" in output
    known = re.findall(r"When AWS last answered, .* served by ([^.:]+)[.:]", output)
    if "\nNothing was changed." in output:
        assert known == []
        assert (now, published(stage)) == (before, newest), output
        assert has_migrated(database) == migrated
    else:
        assert [words(text) for text in known] == [words(describe(now))], output
    if "this was not taken back" in output:
        assert now != before
        [text] = re.findall(r"The site was served by (.+?)\. When", output)
        assert words(text) == words(describe(before))
    if "Deployed: version" in output:
        assert f"Deployed: version {published(stage)}." in output
    elif published(stage) != newest:
        assert "CloudFormation may be updating the stack: it continues" in output
    if not migrated:
        assert ("The migrations of version" in output) == has_migrated(database)
    return status, output, session


def after(matches: Callable[[Asked], bool]) -> Callable[[Asked], bool]:
    """Match the first request after one that ``matches``."""
    seen: list[Asked] = []

    def ends(asked: Asked) -> bool:
        if matches(asked):
            seen.append(asked)
            return False
        return bool(seen)

    return ends


UPDATE = request("POST", "/", "Action=UpdateStack")
# Before and after each of the things that a release changes.
ENDS = {
    "looking": target("AmazonSSM.GetParameters"),
    "upload": request("PUT", r"\.zip"),
    "wait for the stack": after(UPDATE),
    "migration": request("POST", INVOKE.format("manage"), "--noinput"),
    "shift": request("PUT", "-tasks/aliases/live"),
    "release of the lock": request("DELETE", r"release-lock\.json"),
}


@pytest.fixture(scope="module")
def second(make: Callable[[], Path]) -> Path:
    return make()


@pytest.mark.parametrize("step", [*ENDS])
def test_what_is_printed_is_true(stage: Cloud, database: str, second: Path, step: str):
    status, output, session = end(stage, database, second, ENDS[step])

    assert session.refused, output
    assert status == (step != "release of the lock"), output


def test_after_the_page_of_a_proxy_the_traffic_moves_back(
    stage: Cloud, make: Callable[[], Path]
):
    """AWS has executed a call, and the response is lost on the way."""
    before, archive = versions(stage), make()
    old = f'"FunctionVersion": "{before["tasks"]}"'.encode()
    shift, lost = ENDS["shift"], []

    def proxy(asked: Asked, respond: Callable[[Asked], Answer]) -> Answer:
        answer = respond(asked)
        if not shift(asked) or old in asked.body:
            return answer
        lost.append(asked)
        return 502, b"<!DOCTYPE html><html><br></html>", {"Content-Type": "text/html"}

    stage.functions.between = proxy
    try:
        status, output = run(stage, "release", *release_arguments(stage, archive))
    finally:
        stage.functions.between = lambda asked, respond: respond(asked)

    assert status == 1, output
    assert lost
    assert "Traceback" not in output
    assert "has failed with 502 (Bad Gateway)." in output
    assert versions(stage) == before
    assert f"The site is served by {describe(before)}, as before." in output
    assert "Next: wait a minute, then run: make deploy STAGE=prod" in output


def kind(asked: Asked) -> str:
    """Return what a request asks for, without what differs between two releases."""
    action = re.search(rb"Action=\w+", asked.body)
    words = [
        asked.method,
        asked.headers.get("X-Amz-Target") or (action[0].decode() if action else ""),
        re.sub(r"\?.*|\d+", "", asked.path),
    ]
    found = " ".join(words)
    # Each move of traffic is a kind of its own.
    return found if asked.method == "PUT" else found.replace(f"{STACK}-", "")


@pytest.mark.nightly("a session expires at each kind of request of a release")
def test_what_is_printed_is_true_after_each_kind_of_request(
    stage: Cloud, database: str, make: Callable[[], Path]
):
    archive = make()
    kinds: set[str] = set()
    while True:
        status, output, session = end(
            stage, database, archive, lambda asked: kind(asked) not in kinds
        )
        if not session.refused:
            break
        kinds.add(kind(session.refused))

    assert status == 0, output
    for part in ("UpdateStack", ".zip", "release-lock", "http/aliases", "invocations"):
        assert any(part in found for found in kinds), kinds
    assert len(live(stage)) == 1
