"""The local AWS of `run`: a process beside serverless-offline."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import boto3
import pytest
from django.core.mail import EmailMultiAlternatives, mailers
from urllib3.filepost import encode_multipart_formdata

from apps.aws_lambda.cli import ROOT
from apps.aws_lambda.cli.ports import free_port, is_taken
from apps.aws_lambda.cli.run import aws as local_aws
from apps.aws_lambda.cli.run.aws import LocalAWS, LocalAWSError

PAGE = "http://localhost:3000"
STAGE = {
    "region": "eu-west-3",
    "buckets": [
        {
            "id": "MediaBucket",
            "name": "media",
            "cors": [
                {
                    "AllowedMethods": ["GET", "POST", "PUT"],
                    "AllowedHeaders": ["*"],
                    "AllowedOrigins": {"Fn::Sub": "https://${Api}"},
                    "MaxAge": 3600,
                }
            ],
        }
    ],
    "queues": [
        {
            "id": "TaskQueue",
            "name": "tasks",
            "attributes": {"VisibilityTimeout": "720"},
            "dead": "Dead",
            "maxReceiveCount": 2,
        },
        {"id": "Dead", "name": "tasks-dead", "attributes": {}, "dead": None},
    ],
    "mappings": [{"function": "site-tasks", "queue": "TaskQueue", "batchSize": 2}],
    "schedules": [],
}


class Functions(ThreadingHTTPServer):
    """serverless-offline's port for Lambda, with one function that a test chooses."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Invocation)
        self.events: list[list[str]] = []
        self.answer: Callable[[list[str]], Any] = lambda bodies: None
        Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()


class Invocation(BaseHTTPRequestHandler):
    server: Functions

    def do_POST(self) -> None:
        size = int(self.headers["Content-Length"])
        event = json.loads(self.rfile.read(size))
        bodies = [record["body"] for record in event["Records"]]
        assert self.path == "/2015-03-31/functions/site-tasks/invocations"
        self.server.events.append(bodies)
        result = self.server.answer(bodies)
        if callable(result):
            result = result(event)
        answer = b"" if result is None else json.dumps(result).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *arguments: object) -> None:
        pass


class Local(LocalAWS):
    """A local AWS whose stage the test has written."""

    def __init__(self, folder: Path, lambda_port: int) -> None:
        folder.mkdir(exist_ok=True)
        stage = folder / "stage.json"
        stage.write_text(json.dumps(STAGE))
        super().__init__(folder, stage, site_port=3000, lambda_port=lambda_port)

    def __enter__(self) -> "Local":
        self.start()
        self.wait()
        return self

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name="eu-west-3",
            aws_access_key_id="local",
            aws_secret_access_key="local",
        )


@pytest.fixture(scope="module")
def functions() -> Iterator[Functions]:
    with Functions() as server:
        yield server
        server.shutdown()


@pytest.fixture(scope="module")
def local(
    functions: Functions, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Local]:
    with Local(tmp_path_factory.mktemp("local"), functions.server_port) as running:
        yield running


@pytest.fixture(autouse=True)
def _fresh(functions: Functions) -> None:
    functions.events.clear()
    functions.answer = lambda bodies: None


def wait_until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


# The bucket


def status(url: str, **options: Any) -> tuple[int, Any]:
    """Return the status and the headers of a response."""
    try:
        response = urlopen(Request(url, **options))
    except HTTPError as error:
        response = error
    with response:
        return response.status, response.headers


def contents(s3: Any) -> dict[str, tuple[bytes, str, Any]]:
    """Return the content, the type and the other headers of each file."""
    found = {}
    for item in s3.list_objects_v2(Bucket="media").get("Contents", []):
        got = s3.get_object(Bucket="media", Key=item["Key"])
        rest = got.get("ContentDisposition"), got["Metadata"], got["ETag"]
        found[item["Key"]] = got["Body"].read(), got["ContentType"], rest
    return found


def post_form(s3: Any, key: str, content: bytes) -> None:
    form = s3.generate_presigned_post("media", key, {"Content-Type": "text/plain"})
    fields = {**form["fields"], "file": ("a.txt", content, "text/plain")}
    body, kind = encode_multipart_formdata(fields)
    # Browsers post to "/media".
    request = Request(form["url"].rstrip("/"), body, {"Content-Type": kind})
    with urlopen(request) as response:
        assert response.status == 204


def upload_in_parts(s3: Any, key: str) -> bytes:
    place: dict[str, Any] = {"Bucket": "media", "Key": key}
    place["UploadId"] = s3.create_multipart_upload(**place, ContentType="video/mp4")[
        "UploadId"
    ]
    content = [b"a" * (5 << 20), b"b"]
    parts = [
        {
            "PartNumber": number,
            "ETag": s3.upload_part(**place, PartNumber=number, Body=part)["ETag"],
        }
        for number, part in enumerate(content, 1)
    ]
    s3.complete_multipart_upload(**place, MultipartUpload={"Parts": parts})
    return b"".join(content)


def test_files_of_the_bucket_survive_a_restart_however_they_were_stored(
    tmp_path: Path,
) -> None:
    odd = ["a", "A", "a/b", "../c", "é ü/" + "東" * 200, "a//b", "d/"]
    with Local(tmp_path / "state", free_port()) as first:
        s3 = first.client("s3")
        s3.put_object(
            Bucket="media",
            Key="photo.png",
            Body=b"\x89PNG",
            ContentType="image/png",
            ContentDisposition="attachment",
            Metadata={"by": "ann"},
        )
        post_form(s3, "form.txt", b"from a form")
        video = upload_in_parts(s3, "video.mp4")
        s3.copy_object(
            Bucket="media",
            Key="copy.png",
            CopySource={"Bucket": "media", "Key": "photo.png"},
        )
        for key in [*odd, "deleted", "deleted/1", "deleted/2"]:
            s3.put_object(Bucket="media", Key=key, Body=key.encode())
        s3.put_object(Bucket="media", Key="changed", Body=b"1")
        s3.put_object(Bucket="media", Key="changed", Body=b"2", ContentType="a/b")
        s3.delete_object(Bucket="media", Key="deleted")
        keys = [{"Key": "deleted/1"}, {"Key": "deleted/2"}]
        s3.delete_objects(Bucket="media", Delete={"Objects": keys})
        before = contents(s3)
        # Not even its end saves anything.
        first._process.kill()

    with Local(tmp_path / "state", free_port()) as second:
        after = contents(second.client("s3"))

    assert after == before
    assert set(after) == {
        *odd, "photo.png", "form.txt", "video.mp4", "copy.png", "changed"
    }  # fmt: skip
    content, kind, (disposition, metadata, _) = after["photo.png"]
    assert (content, kind, disposition) == (b"\x89PNG", "image/png", "attachment")
    assert metadata == {"by": "ann"}
    assert after["copy.png"][:2] == (b"\x89PNG", "image/png")
    assert after["form.txt"][:2] == (b"from a form", "text/plain")
    assert after["video.mp4"][:2] == (video, "video/mp4")
    assert after["changed"][:2] == (b"2", "a/b")
    assert len(list((tmp_path / "state" / "buckets" / "media").iterdir())) == len(after)
    assert not (tmp_path / "state" / "c").exists()


def test_the_bucket_allows_the_origin_of_the_site_as_the_deployed_one_does(
    local: Local,
) -> None:
    url = local.client("s3").generate_presigned_url(
        "put_object", {"Bucket": "media", "Key": "x"}
    )

    def preflight(origin: str) -> tuple[int, str | None]:
        headers = {"Origin": origin, "Access-Control-Request-Method": "PUT"}
        code, answered = status(url, headers=headers, method="OPTIONS")
        return code, answered["Access-Control-Allow-Origin"]

    assert preflight(PAGE) == (200, PAGE)
    assert preflight("http://127.0.0.1:3000")[0] == 200
    assert preflight("https://elsewhere.example.com") == (403, None)


def test_a_file_is_private(local: Local) -> None:
    local.client("s3").put_object(Bucket="media", Key="private", Body=b"x")

    assert status(f"{local.url}/media/private")[0] == 403


# The queue


def send(local: Local, *bodies: str) -> None:
    for body in bodies:
        local.client("sqs").send_message(
            QueueUrl=f"{local.url}/123456789012/tasks", MessageBody=body
        )


def left(local: Local, queue: str = "tasks") -> int:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = local.client("sqs").get_queue_attributes(
        QueueUrl=f"{local.url}/123456789012/{queue}", AttributeNames=names
    )
    return sum(map(int, found["Attributes"].values()))


def test_messages_are_handed_to_the_function_and_deleted(
    local: Local, functions: Functions
) -> None:
    send(local, "a", "b", "c")

    wait_until(lambda: left(local) == 0)

    assert sorted(body for batch in functions.events for body in batch) == [
        "a", "b", "c"
    ]  # fmt: skip
    assert max(map(len, functions.events)) <= 2


def test_two_batches_are_processed_at_the_same_time(
    local: Local, functions: Functions
) -> None:
    """A task may wait for another one."""

    def answer(bodies: list[str]) -> None:
        if bodies == ["first"]:
            wait_until(lambda: ["second"] in functions.events)

    functions.answer = answer
    send(local, "first")
    wait_until(lambda: functions.events)
    send(local, "second")

    wait_until(lambda: left(local) == 0)


def test_messages_that_failed_are_tried_again_and_then_dead(
    functions: Functions, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def answer(bodies: list[str]) -> Any:
        def result(event: Any) -> Any:
            failed = [r for r in event["Records"] if r["body"] != "good"]
            for record in failed:
                # As the consumer does after a task that failed.
                running.client("sqs").change_message_visibility(
                    QueueUrl=f"{running.url}/123456789012/tasks",
                    ReceiptHandle=record["receiptHandle"],
                    VisibilityTimeout=0,
                )
            ids = [{"itemIdentifier": r["messageId"]} for r in failed]
            return {"batchItemFailures": ids}

        return result

    functions.answer = answer
    bad = json.dumps({"task": "shop.tasks.invoice", "id": "5f6e"})
    with Local(tmp_path / "state", functions.server_port) as running:
        send(running, bad, "good", "neither")
        wait_until(lambda: left(running, "tasks-dead") == 2)
        assert left(running) == 0
        printed: list[str] = []

        def both_are_printed() -> bool:
            printed.append(capfd.readouterr().out)
            return "".join(printed).count("Dead letter: ") == 2

        wait_until(both_are_printed)

    line = "Dead letter: the task shop.tasks.invoice 5f6e failed 2 times"
    assert line in "".join(printed)
    bodies = [body for batch in functions.events for body in batch]
    assert (bodies.count(bad), bodies.count("good")) == (2, 1)


def test_a_function_that_cannot_start_gets_its_messages_again_soon(
    local: Local, functions: Functions
) -> None:
    """The visibility timeout of the queue is 12 minutes."""
    error = {"errorType": "Runtime.ExitError", "errorMessage": "Python died"}
    functions.answer = lambda bodies: error if len(functions.events) == 1 else None

    send(local, "a")

    wait_until(lambda: left(local) == 0)
    assert functions.events == [["a"], ["a"]]


# E-mail


def mails(local: Local, path: str = "") -> str:
    with urlopen(f"{local.url}/_mail/{path}") as response:
        text: str = response.read().decode()
        return text


def message(subject: str) -> EmailMultiAlternatives:
    made = EmailMultiAlternatives(
        subject, "Plain & simple", "shop@example.com", ["ann@example.com"]
    )
    made.attach_alternative("<p onclick='x'>Rich</p>", "text/html")
    made.attach("invoice.pdf", b"%PDF", "application/pdf")
    return made


def test_mail_of_ses_is_kept_and_shown(local: Local) -> None:
    raw = message("By <b>SES</b>").message().as_bytes()
    local.client("ses").send_raw_email(RawMessage={"Data": raw})
    local.client("sesv2").send_email(
        FromEmailAddress="shop@anything.example.org",
        Destination={"ToAddresses": ["bob@example.com"]},
        Content={
            "Simple": {
                "Subject": {"Data": "By version 2"},
                "Body": {"Text": {"Data": "Hello"}},
            }
        },
    )

    page = mails(local)

    assert "By &lt;b&gt;SES&lt;/b&gt;" in page
    assert "By version 2" in page
    assert "bob@example.com" in page
    names = re.findall(r'href="([^"]+)"', page)
    one = next(text for name in names if "invoice.pdf" in (text := mails(local, name)))
    assert "Plain &amp; simple" in one
    assert '<iframe sandbox srcdoc="&lt;p onclick' in one
    assert status(f"{local.url}/_mail/../aws.log/0")[0] == 404


def test_mail_that_django_writes_to_the_folder_is_shown(
    local: Local, settings: Any
) -> None:
    settings.MAILERS = {
        "default": {
            "BACKEND": "django.core.mail.backends.filebased.EmailBackend",
            "OPTIONS": {"file_path": local.variables["LAMBDA_EMAIL_FOLDER"]},
        }
    }
    mailers["default"].send_messages([message("First"), message("Second")])
    mailers["default"].send_messages([message("Third")])

    page = mails(local)

    assert page.index("Third") < page.index("Second") < page.index("First")


# The process


def test_it_is_reachable_from_this_machine_only(local: Local) -> None:
    assert urlsplit(local.url).hostname == "127.0.0.1"
    listening = subprocess.run(["ss", "-ltn"], capture_output=True, text=True)
    assert f"127.0.0.1:{local.port} " in listening.stdout


PARENT = """
import sys
from pathlib import Path
from apps.aws_lambda.cli.run.aws import LocalAWS

folder = Path(sys.argv[1])
local = LocalAWS(folder, folder / "stage.json", site_port=3000, lambda_port=1)
local.start()
local.wait()
print(local.port, flush=True)
input()
"""


def test_it_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    (tmp_path / "stage.json").write_text(json.dumps(STAGE))
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, tmp_path],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout
        port = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)

    wait_until(lambda: not is_taken(port))


def test_a_failed_start_is_reported_with_the_reason(tmp_path: Path) -> None:
    local = Local(tmp_path, free_port())
    local.stage.write_text("{}")
    local.start()
    try:
        with pytest.raises(LocalAWSError) as error:
            local.wait()
    finally:
        local.stop()

    lines = str(error.value).splitlines()
    assert lines[0] == f"The local AWS did not start. The end of {tmp_path}/aws.log:"
    assert lines[-2:] == ["KeyError: 'region'", "Run without it: set LOCAL_AWS=no"]


# Whether there is one


def choose(folder: Path) -> LocalAWS | None:
    return LocalAWS.unless_disabled(
        folder, folder / "stage.json", site_port=3000, lambda_port=3002
    )


def test_it_can_be_disabled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "mine")
    monkeypatch.setenv("LOCAL_AWS", "no")

    assert choose(tmp_path) is None
    assert os.environ["AWS_PROFILE"] == "mine"


def test_a_missing_package_is_one_sentence_with_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("LOCAL_AWS", raising=False)
    monkeypatch.setattr(
        local_aws, "find_spec", lambda name: None if name == "moto" else name
    )

    assert choose(tmp_path) is None
    assert capsys.readouterr().out == (
        f"The local AWS needs moto, which {sys.executable} cannot import. Without it, "
        "uploads are plain files and tasks run at once. To install it: pip install "
        "'django-on-lambda[local]'\n"
    )


def test_the_access_of_the_developer_is_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LOCAL_AWS", raising=False)
    kept = {"AWS_REGION": "eu-west-1", "AWS_LAMBDA_LOG_LEVEL": "DEBUG"}
    access = dict.fromkeys(
        (
            "AWS_PROFILE",
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_SESSION_TOKEN",
            "AWS_ENDPOINT_URL_S3",
            "AWS_WEB_IDENTITY_TOKEN_FILE",
            "AWS_ROLE_ARN",
        ),
        "mine",
    )
    environ = {"PATH": "/bin", **kept, **access}
    monkeypatch.setattr(os, "environ", environ)

    local = choose(tmp_path)

    assert local
    assert environ == {"PATH": "/bin", **kept}
    assert "mine" not in local.variables.values()
