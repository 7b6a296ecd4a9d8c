"""What happens to a stage, in the words of the test."""

import hashlib
import json
import os
import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.request import BaseHandler, HTTPSHandler, ProxyHandler, build_opener

import psycopg

from tests.cli.release.inventory import all_there_is
from tests.cloud.inbox import Page, Program
from tests.cloud.stage import Stage, release_options
from tests.services.admin import Admin
from tests.services.ministack import MiniStack
from tests.services.postgresql import PostgreSQL

PNG = (Path(__file__).parents[2] / "docs" / "images" / "admin.png").read_bytes()
SHA256 = hashlib.sha256(PNG).hexdigest()
WAIT_SECONDS = 120
FAILURE = "These are not the data that the migration expects."
FAILING_MIGRATION = f"""
from django.db import migrations


def fail(apps, schema_editor):
    raise RuntimeError("{FAILURE}")


class Migration(migrations.Migration):
    dependencies = [("documents", "0006_by_status")]
    operations = [migrations.RunPython(fail)]
"""


class Life:
    """
    The life of a stage: each method does one thing to it, and checks what follows.

    ``parameters`` are those of a release, besides the package.
    """

    def __init__(self, stage: Stage, parameters: dict[str, str]) -> None:
        self.stage = stage
        self.parameters = parameters
        self.password = secrets.token_urlsafe()
        self.database = stage.secrets["database-url"]

    def release(self, archive: Path, version: str) -> None:
        code, output = self.deploy(archive)

        assert code == 0, output
        assert f"is served by version {version}." in output
        assert self.stage.version() == version

    def deploy(self, archive: Path) -> tuple[int, str]:
        options = release_options({**self.parameters, "artifact": str(archive)})
        return self.stage.run(self.stage.command("deploy", *options))

    def refuse(self, archive: Path, live: str) -> None:
        """Release a package whose migration fails; the live version stays."""
        code, output = self.deploy(archive)

        assert code == 1, output
        assert FAILURE in output
        assert f"The site is served by version {live}, as before." in output
        assert self.stage.version() == live
        # The live version does not have the migration.
        assert "0003_fails" not in self.remote("showmigrations", "documents")

    def roll_back(self, version: str) -> None:
        code, output = self.stage.run(self.stage.command("rollback"))

        assert code == 0, output
        assert f"is served by version {version}." in output
        assert self.stage.version() == version

    def remove(self) -> None:
        answers = f"{self.stage.name}\n{self.stage.outputs()['MediaBucketName']}\n"
        code, output = self.stage.run(self.stage.command("remove"), typed=answers)

        assert code == 0, output

    def url(self) -> str:
        """Return the public URL, or the one of the event source."""
        if url := self.parameters.get("publicUrl"):
            return url
        code, output = self.stage.run(self.stage.command("info"))

        assert code == 0, output
        found = re.search(r"^URL +(https://.+)/$", output, re.MULTILINE)
        assert found, output
        return found[1]

    def remote(self, *argv: str, **variables: str) -> str:
        """Return the output of `manage.py remote`."""
        code, output = self.stage.run(self.stage.remote(*argv), **variables)

        assert code == 0, output
        return output

    def create_superuser(self) -> None:
        output = self.remote(
            *("createsuperuser", "--username", "ann", "--email", "ann@example.com"),
            DJANGO_SUPERUSER_PASSWORD=self.password,
        )

        assert "Superuser created" in output

    def handlers(self) -> tuple[BaseHandler, ...]:
        """Return urllib's handlers for connections to the site and the bucket."""
        proxy = ProxyHandler({"https": self.stage.aws.host_names.url})
        return proxy, HTTPSHandler(context=self.stage.aws.tls())

    def admin(self, url: str) -> Admin:
        """Return the session of a visitor who logs in."""
        return Admin(f"{url}/admin", "ann", self.password, *self.handlers())

    def visit(self, url: str) -> None:
        """Upload a file and download it, and see what a task has computed of it."""
        title = f"Map {secrets.token_hex(4)}"
        document, admin = self.upload(url, title)

        self.wait_for(lambda: SHA256 in admin.page(document))

        [link] = admin.links(document)
        with admin.browser.open(link) as response:
            assert response.read() == PNG

    def upload(self, url: str, title: str) -> tuple[str, Admin]:
        """Return the path of a new document in the admin."""
        admin = self.admin(url)
        fields = {"title": title, "file": ("Straße 東京.png", PNG, "image/png")}
        admin.post("/documents/document/add/", fields)
        listed = admin.page("/documents/document/")
        found = re.search(rf'(/documents/document/\d+/change/)">{title}<', listed)
        assert found, listed
        return found[1], admin

    def use_the_inbox(self, url: str) -> None:
        """Send files to the inbox as its page does and as a program, and read them."""
        admin = self.admin(url)
        page = Page(url, admin)
        program = self.program(url, admin, "ann")
        # In two parts.
        large = os.urandom(1024 * 1024) * 17
        picture = page.add("Map.png", PNG)
        archive = program.add("Archive.bin", large)

        def is_processed() -> bool:
            rows = [page.row(key) for key in (picture, archive)]
            return all('data-state="processed"' in row for row in rows)

        self.wait_for(is_processed)
        assert page.download(picture) == (200, PNG)
        assert program.api("GET", f"documents/{archive}/file") == (200, large)
        page.choose("approve", picture)
        status, document = program.api("GET", f"documents/{picture}")
        assert (status, document["checksum"]) == (200, SHA256)
        assert document["approved_at"]
        exported = page.choose("export", picture).decode()
        assert f"\r\n{picture},Map,documents/" in exported
        assert f",{SHA256}," in exported

        self.show_nothing_to_another(url, admin, picture)

        [[name]] = self.ask(
            "SELECT file FROM documents_document WHERE id = %s", picture
        )
        assert name in self.files()
        assert program.api("DELETE", f"documents/{picture}")[0] == 204
        assert program.api("GET", f"documents/{picture}")[0] == 404
        assert page.download(picture)[0] == 404
        assert name not in self.files()

    def show_nothing_to_another(self, url: str, admin: Admin, key: int) -> None:
        """Make a second user, for whom the document of the first does not exist."""
        passwords = dict.fromkeys(("password1", "password2"), self.password)
        user = {"username": "bob", "usable_password": "true", **passwords}
        admin.post("/accounts/user/add/", user)
        bob = Page(url, Admin(url, "bob", self.password, *self.handlers()))
        program = self.program(url, admin, "bob")

        assert b"Nothing here yet" in bob.send("GET", f"{url}/inbox/", None, "")[1]
        assert bob.download(key)[0] == 404
        assert program.api("GET", "documents")[1]["results"] == []
        for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/file")):
            assert program.api(method, f"documents/{key}{path}")[0] == 404

    def program(self, url: str, admin: Admin, username: str) -> Program:
        """Return a program with a token that the admin has made for a user."""
        [[user]] = self.ask(
            "SELECT id FROM accounts_user WHERE username = %s", username
        )
        admin.post("/authtoken/tokenproxy/add/", {"user": str(user)})
        [[token]] = self.ask("SELECT key FROM authtoken_token WHERE user_id = %s", user)
        return Program(url, build_opener(*self.handlers()), token)

    def files(self) -> list[str]:
        """Return the keys in the bucket of the stage."""
        client = self.stage.aws.client("s3")
        bucket = self.stage.outputs()["MediaBucketName"]
        found = client.list_objects_v2(Bucket=bucket)
        return [each["Key"] for each in found.get("Contents", ())]

    def try_the_bucket(self, url: str) -> None:
        """Run `bucket`, which finds that this is not S3 and leaves nothing behind."""
        # serverless.yml does not have the parameters of this release.
        given = ["--origin", url] if "publicUrl" in self.parameters else []
        code, output = self.stage.run(self.stage.command("bucket", *given))

        assert code == 1, output
        origin = "/".join(url.split("/")[:3])
        assert f", for pages of {origin}; below exports/try-" in output, output
        for item in ("preflight ", "signed upload ", "the end ", "left in the bucket "):
            assert f"\nok      {item}" in output, output
        assert "\nproblem no signature " in output
        assert [name for name in self.files() if name.startswith("exports/try-")] == []

    def find_in_the_log(self, url: str) -> None:
        """Find a request in the logs by the ID that its response has."""
        with self.admin(url).browser.open(f"{url}/health/live") as response:
            request = response.headers["x-request-id"]

        code, output = self.stage.run(self.stage.command("logs", "--request", request))

        assert code == 0, output
        assert "GET /health/live 200" in output

    @contextmanager
    def failing_tasks(self) -> Iterator[None]:
        """Make the database refuse what the task of a document stores."""
        rule = "CHECK (checksum = '') NOT VALID"
        self.ask(f"ALTER TABLE documents_document ADD CONSTRAINT refused {rule}")
        yield
        self.ask("ALTER TABLE documents_document DROP CONSTRAINT refused")

    def has_a_dead_letter(self) -> bool:
        answer = self.stage.aws.client("sqs").get_queue_attributes(
            QueueUrl=self.stage.outputs()["TaskDeadLetterQueueUrl"],
            AttributeNames=["ApproximateNumberOfMessages"],
        )
        return bool(answer["Attributes"]["ApproximateNumberOfMessages"] == "1")

    def start_the_schedule(self) -> None:
        """Make EventBridge Scheduler invoke the function now, not at night."""
        self.ask(
            "INSERT INTO django_session VALUES ('expired', '', now() - interval '1d')"
        )
        client = self.stage.aws.client("scheduler")
        group = {"GroupName": self.stage.stack}
        names = [each["Name"] for each in client.list_schedules(**group)["Schedules"]]
        [name] = [name for name in names if "ClearSessions" in name]
        # MiniStack does not notice that a schedule has another time: it gets a copy,
        # with the same target, and looks for it every ten seconds.
        client.create_schedule(
            **group,
            Name="now",
            Target=client.get_schedule(**group, Name=name)["Target"],
            ScheduleExpression=f"at({datetime.now(UTC):%Y-%m-%dT%H:%M:%S})",
            FlexibleTimeWindow={"Mode": "OFF"},
            ActionAfterCompletion="DELETE",
        )

    def the_schedule_has_run(self) -> bool:
        expired = "SELECT 1 FROM django_session WHERE session_key = 'expired'"
        return not self.ask(expired)

    def ask(self, sql: str, *values: object) -> list[Any]:
        """Return the rows of a statement in the database of the stage."""
        with psycopg.connect(self.database, autocommit=True) as connection:
            cursor = connection.execute(sql.encode(), values or None)
            return cursor.fetchall() if cursor.description else []

    def wait_for(self, happened: Callable[[], bool]) -> None:
        deadline = time.monotonic() + WAIT_SECONDS
        while not happened():
            assert time.monotonic() < deadline, self.stage.aws.tail()
            time.sleep(0.5)


def create_database(postgresql: PostgreSQL, name: str) -> str:
    """Return the URL of an empty database."""
    with psycopg.connect(postgresql.url(), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    return postgresql.url(name)


def resources(aws: MiniStack) -> str:
    """Return all resources of the account, as text."""
    # MiniStack has no CodeDeploy.
    found: dict[str, Any] = all_there_is(aws, without={"codedeploy"})
    found["stacks"] = aws.client("cloudformation").describe_stacks()["Stacks"]
    found["parameters"] = aws.client("ssm").describe_parameters()["Parameters"]
    return json.dumps(found, default=str, indent=1)
