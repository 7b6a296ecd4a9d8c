"""What the command lambda_diagnose finds, from inside a function."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from apps.aws_lambda import parameters
from apps.aws_lambda.commands import diagnosis
from apps.aws_lambda.commands.diagnosis import Finding, Problem, diagnose
from tests.aws_lambda.commands.conftest import Stage
from tests.names import SERVICE
from tests.services.aws import AWS
from tests.services.http_stub import HttpStub

MANIFEST = "whitenoise.storage.CompressedManifestStaticFilesStorage"


def found(output: str) -> dict[str, dict[str, Any]]:
    """Return the findings that a command has printed."""
    return {line["item"]: line for line in map(json.loads, output.splitlines())}


# In a function, with a PostgreSQL


def test_a_function_reports_what_works_and_what_does_not(stage: Stage):
    stage.remote("migrate", "site", "0001")

    ended = stage.remote("lambda_diagnose")

    assert ended.returncode == 0, ended.stderr
    lines = found(ended.stdout)
    assert lines.keys() >= {"function", "secrets", "database", "static files", "disk"}
    # It is never applied: it fails.
    assert "site.0002_half" in lines["database"]["text"]
    assert lines["database"]["text"].startswith("DATABASES['default'] (PostgreSQL) ")
    assert lines["database"]["next_step"] == ("manage.py remote --stage test migrate")
    bad = {item for item, line in lines.items() if not line["ok"]}
    # The stage has those of this folder, if they were ever collected.
    assert bad - {"static files"} == {"database"}


def test_no_problem_stops_the_others_or_the_command(stage: Stage):
    name = f"{SERVICE}-test-astray"

    ended = stage.remote("--function-name", name, "lambda_diagnose")

    assert ended.returncode == 0, ended.stdout + ended.stderr
    lines = found(ended.stdout)
    bad = {item for item, line in lines.items() if not line["ok"]}
    assert bad == {"database", "static files", "bucket", "queue"}
    assert "OperationalError: connection failed" in lines["database"]["text"]
    assert lines["database"]["next_step"] == diagnosis.ROUTE
    assert lines["bucket"]["text"] == "MEDIA_BUCKET absent does not exist"
    assert "AWS returned" in lines["queue"]["text"]
    shown = ended.stdout + ended.stderr + "\n".join(stage.raw_log(name))
    assert stage.server.password not in shown
    assert "ERROR" not in {line["level"] for line in stage.log(name)}


# Threads and secrets


def test_an_item_that_hangs_is_left_behind():
    def hang() -> NoReturn:
        Event().wait()
        raise AssertionError

    findings = diagnose({"database": hang, "disk": lambda: "fine"}, seconds=0.2)

    assert findings == [
        Finding("database", False, "no answer within 0.2 seconds", diagnosis.ROUTE),
        Finding("disk", True, "fine"),
    ]


def test_an_item_that_raises_is_a_problem():
    def fail() -> NoReturn:
        raise LookupError("not\nhere")

    [finding] = diagnose({"disk": fail})

    assert not finding.ok
    assert finding.text == "LookupError: not here"
    assert finding.next_step


@pytest.mark.parametrize("kind", [Problem, ValueError])
def test_no_finding_contains_a_secret(
    kind: type[Exception], settings: Any, monkeypatch: pytest.MonkeyPatch
):
    settings.SECRET_KEY_FALLBACKS = ["the-former-key"]
    monkeypatch.setenv("PAYMENT_API_KEY", "hunter2-hunter2")
    # Too short to be one, and a part of other words.
    monkeypatch.setenv("LAMBDA_DATABASE_AUTH", "here")
    values = ["the-former-key", "hunter2-hunter2", settings.SECRET_KEY]
    text = f"{' '.join(values)} is not valid here"

    def fail() -> NoReturn:
        raise Problem(text, "") if kind is Problem else kind(text)

    [raised, returned] = diagnose({"secrets": fail, "disk": lambda: text})

    for finding in (raised, returned):
        assert finding.text.endswith(
            "[redacted] [redacted] [redacted] is not valid here"
        )


# The database


@pytest.mark.django_db
def test_a_migrated_database_is_ok():
    [finding] = diagnose({"database": lambda: diagnosis.database("default")})

    assert finding.ok, finding
    assert finding.text.startswith("DATABASES['default'] (PostgreSQL) answered in ")
    assert finding.text.endswith("all migrations are applied")


@pytest.mark.django_db
def test_unapplied_migrations_are_named_in_their_order():
    # In the transaction of the test.
    MigrationRecorder(connection).record_unapplied("sessions", "0001_initial")
    loader = MigrationLoader(connection)
    names = [name for label, name in loader.disk_migrations if label == "documents"]
    for name in names:
        MigrationRecorder(connection).record_unapplied("documents", name)

    assert diagnosis.unapplied_migrations(connection) == [
        *(f"documents.{name}" for name in sorted(names)),
        "sessions.0001_initial",
    ]


@pytest.mark.django_db
def test_another_database_that_was_never_migrated_is_not_to_be(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(MigrationRecorder, "has_table", lambda self: False)
    replica = connection.copy("replica")

    with closing(replica):
        assert diagnosis.unapplied_migrations(replica) == []

    assert "documents.0001_initial" in diagnosis.unapplied_migrations(connection)


def test_a_site_without_a_database_is_ok(monkeypatch: pytest.MonkeyPatch):
    engine = "django.db.backends.dummy"
    monkeypatch.setitem(connection.settings_dict, "ENGINE", engine)

    assert diagnosis.database("default") == "the site has no database"


@pytest.mark.parametrize(
    ("text", "step"),
    [
        (
            'FATAL: password authentication failed for user "site"',
            "docs/secrets.md#the-database-password",
        ),
        ("SSL error: certificate verify failed", "docs/operate.md#tls"),
        (
            "FATAL: remaining connection slots are reserved",
            "docs/capacity.md#connections",
        ),
        (
            'could not translate host name "db" to address',
            "check the host in DATABASE_URL, and docs/deploy-reference.md#vpc",
        ),
        ("connection timeout expired", diagnosis.ROUTE),
    ],
)
def test_a_failed_connection_has_a_next_step(
    text: str, step: str, monkeypatch: pytest.MonkeyPatch
):
    def fail() -> NoReturn:
        raise ConnectionError(text)

    refusing = SimpleNamespace(
        settings_dict=connection.settings_dict, cursor=fail, close=lambda: None
    )
    monkeypatch.setattr(diagnosis, "connections", {"default": refusing})

    with pytest.raises(Problem) as raised:
        diagnosis.database("default")

    assert raised.value.next_step == step


# Secrets, the bucket and the queue, in a local AWS


@pytest.fixture(scope="module")
def account() -> Iterator[AWS]:
    with AWS() as running:
        yield running


@pytest.fixture
def aws(account: AWS, monkeypatch: pytest.MonkeyPatch) -> Iterator[AWS]:
    for name, value in account.environment().items():
        monkeypatch.setenv(name, value)
    yield account
    account.reset()


def test_a_secret_that_was_deleted_is_a_problem(aws: AWS):
    ssm = aws.client("ssm")
    for name in ("/kept", "/deleted"):
        ssm.put_parameter(Name=name, Value="hunter2-hunter2", Type="SecureString")
    environ = {**aws.environment(), "KEPT": "ssm:/kept", "DELETED": "ssm:/deleted"}
    parameters.resolve(environ)
    assert diagnosis.secrets() == "DELETED, KEPT can be read"
    ssm.delete_parameter(Name="/deleted")
    ssm.put_parameter(
        Name="/kept", Value="changed", Type="SecureString", Overwrite=True
    )

    with pytest.raises(Problem, match=r"^DELETED: there is no such parameter$"):
        diagnosis.secrets()

    # Nothing is replaced: a connection may still use it.
    assert environ["KEPT"] == environ["DELETED"] == "hunter2-hunter2"
    parameters.resolve({})
    assert "no variable refers to" in diagnosis.secrets()


def test_a_bucket_that_exists_is_ok(aws: AWS, monkeypatch: pytest.MonkeyPatch):
    aws.client("s3").create_bucket(
        Bucket="media",
        CreateBucketConfiguration={"LocationConstraint": "eu-central-1"},
    )
    monkeypatch.setenv("MEDIA_BUCKET", "media")

    assert diagnosis.bucket() == "media can be reached"


@pytest.mark.parametrize(
    ("status", "text"),
    [(404, "does not exist"), (301, "in another region"), (503, "status 503")],
)
def test_the_status_of_a_bucket_is_explained(
    status: int, text: str, monkeypatch: pytest.MonkeyPatch
):
    with HttpStub(lambda request: (status, "")) as stub:
        monkeypatch.setenv("AWS_REGION", "eu-central-1")
        monkeypatch.setenv("AWS_ENDPOINT_URL", stub.url)
        monkeypatch.setenv("MEDIA_BUCKET", "media")
        with pytest.raises(Problem, match=text):
            diagnosis.bucket()


def test_a_bucket_that_only_another_role_may_list_is_ok(
    monkeypatch: pytest.MonkeyPatch,
):
    with HttpStub(lambda request: (403, "")) as stub:
        monkeypatch.setenv("AWS_REGION", "eu-central-1")
        monkeypatch.setenv("AWS_ENDPOINT_URL", stub.url)
        monkeypatch.setenv("MEDIA_BUCKET", "media")

        assert diagnosis.bucket() == "media can be reached"

    [request] = stub.requests
    assert (request.method, request.path) == ("HEAD", "/media")


def test_any_answer_of_ses_shows_that_there_is_a_route(
    monkeypatch: pytest.MonkeyPatch,
):
    with HttpStub(lambda request: (403, "")) as stub:
        monkeypatch.setenv("AWS_REGION", "eu-central-1")
        monkeypatch.setenv("AWS_ENDPOINT_URL", stub.url)
        assert diagnosis.email() == "MAIL_FROM is not set"
        monkeypatch.setenv("MAIL_FROM", "noreply@example.com")

        assert diagnosis.email() == "SES can be reached"

    assert len(stub.requests) == 1


def test_a_network_without_a_route_is_a_problem(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("MEDIA_BUCKET", "media")
    monkeypatch.setenv("TASK_QUEUE_URL", "http://127.0.0.1:1/1/tasks")
    monkeypatch.setenv("MAIL_FROM", "noreply@example.com")

    for look in (diagnosis.bucket, diagnosis.queue, diagnosis.email):
        with pytest.raises(Problem, match="cannot be reached") as raised:
            look()
        assert raised.value.next_step == diagnosis.NETWORK


def test_a_queue_without_a_dead_letter_queue_is_a_problem(
    aws: AWS, monkeypatch: pytest.MonkeyPatch
):
    sqs = aws.client("sqs")
    url = sqs.create_queue(QueueName="tasks")["QueueUrl"]
    dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])
    monkeypatch.setenv("TASK_QUEUE_URL", url)
    with pytest.raises(Problem, match="has no dead-letter queue"):
        diagnosis.queue()
    policy = {
        "deadLetterTargetArn": arn["Attributes"]["QueueArn"],
        "maxReceiveCount": 5,
    }
    sqs.set_queue_attributes(
        QueueUrl=url, Attributes={"RedrivePolicy": json.dumps(policy)}
    )

    assert diagnosis.queue() == "SQS can be reached, a task has 5 attempts"


def test_a_queue_that_only_another_role_may_use_is_ok(
    monkeypatch: pytest.MonkeyPatch,
):
    denied = '{"__type": "com.amazonaws.sqs#AccessDeniedException"}'
    with HttpStub(lambda request: (403, denied)) as stub:
        monkeypatch.setenv("AWS_REGION", "eu-central-1")
        monkeypatch.setenv("AWS_ENDPOINT_URL", stub.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
        monkeypatch.setenv("TASK_QUEUE_URL", f"{stub.url}/1/tasks")

        assert diagnosis.queue() == "SQS can be reached"


def test_a_site_without_bucket_and_queue_is_ok(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("MEDIA_BUCKET", raising=False)
    monkeypatch.delenv("TASK_QUEUE_URL", raising=False)

    assert diagnosis.bucket() == "MEDIA_BUCKET is not set"
    assert diagnosis.queue() == "TASK_QUEUE_URL is not set"


# Files


@pytest.fixture
def static_root(settings: Any, tmp_path: Path) -> Path:
    settings.STATIC_ROOT = tmp_path / "static"
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": MANIFEST},
    }
    return tmp_path / "static"


def test_a_missing_folder_or_manifest_is_a_problem(static_root: Path):
    with pytest.raises(Problem, match=r"STATIC_ROOT .* does not exist"):
        diagnosis.static_files()
    static_root.mkdir()
    (static_root / "a.1.css").write_text("")
    with pytest.raises(Problem, match="no manifest, or an empty one"):
        diagnosis.static_files()


def test_a_missing_file_of_the_manifest_is_a_problem(static_root: Path):
    static_root.mkdir()
    (static_root / "a.1.css").write_text("")
    manifest = {"version": "1.1", "paths": {"a.css": "a.1.css", "b.css": "b.2.css"}}
    (static_root / "staticfiles.json").write_text(json.dumps(manifest))

    with pytest.raises(Problem, match=r"1 of 2 files .*, such as b\.2\.css"):
        diagnosis.static_files()

    (static_root / "b.2.css").write_text("")
    assert diagnosis.static_files().startswith("2 files of the manifest are in ")


def test_static_files_without_a_manifest_are_counted(settings: Any, tmp_path: Path):
    settings.STATIC_ROOT = tmp_path
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {
            "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        },
    }
    with pytest.raises(Problem, match="has no files"):
        diagnosis.static_files()
    (tmp_path / "a.css").write_text("")

    assert diagnosis.static_files() == f"1 files in {tmp_path}, without a manifest"


def test_static_files_on_another_host_are_ok(settings: Any):
    settings.STATIC_URL = "https://cdn.example.com/"

    assert diagnosis.static_files() == "are served from https://cdn.example.com/"


def test_a_temporary_folder_that_cannot_be_written_to_is_a_problem(
    monkeypatch: pytest.MonkeyPatch,
):
    def refuse() -> NoReturn:
        raise OSError(30, "Read-only file system")

    assert "can be written to" in diagnosis.disk()
    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)

    with pytest.raises(Problem, match="cannot be written to: Read-only file system"):
        diagnosis.disk()


def test_a_full_temporary_folder_is_a_problem(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(diagnosis, "MIN_FREE_MB", 10**12)

    with pytest.raises(Problem, match="MB left"):
        diagnosis.disk()
