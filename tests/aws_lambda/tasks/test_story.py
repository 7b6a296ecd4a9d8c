"""One upload, from the browser's request to the task that it enqueued."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

from apps.aws_lambda.cli.lambda_service import ExecutionEnvironment
from tests.aws_lambda.database.conftest import server
from tests.aws_lambda.database.server import SiteServer
from tests.aws_lambda.database.site import CSRF
from tests.aws_lambda.tasks.conftest import Queue
from tests.events import load_event
from tests.services.aws import AWS

__all__ = ["server"]

CONTENT = b"A file of some size."


def upload(session: str) -> dict[str, Any]:
    """Return the event of an upload in the admin."""
    parts = {"csrfmiddlewaretoken": CSRF, "title": "Story", "note": ""}
    lines = [
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in parts.items()
    ]
    head = '--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n'
    lines.append(f"{head}Content-Type: text/plain\r\n\r\n")
    body = "".join(lines).encode() + CONTENT + b"\r\n--b--\r\n"
    path = "/admin/documents/document/add/"
    event = load_event("http_default_post", rawPath=path, isBase64Encoded=True)
    event["cookies"] = [f"csrftoken={CSRF}", f"sessionid={session}"]
    event["headers"]["content-type"] = "multipart/form-data; boundary=b"
    event["headers"]["content-length"] = str(len(body))
    event["body"] = base64.b64encode(body).decode()
    event["requestContext"]["requestId"] = "the-upload"
    return event


def lines(environment: ExecutionEnvironment) -> list[dict[str, Any]]:
    found = environment.log.splitlines()
    return [json.loads(line) for line in found if line.startswith("{")]


def test_a_task_has_the_request_id_of_its_upload(
    aws: AWS, server: SiteServer, tmp_path: Path
):
    queue = Queue(aws)
    variables = {
        **server.variables(server.postgresql.port),
        **aws.environment(),
        "LOG_LEVEL": "INFO",
        "MEDIA_ROOT": str(tmp_path),
        "TASK_QUEUE_URL": queue.url,
    }

    with ExecutionEnvironment(variables) as http:
        response = http.invoke(upload(server.session))
    assert response["statusCode"] == 302
    assert queue.left() == 1
    with ExecutionEnvironment(variables, handler="lambda_entry.tasks") as tasks:
        queue.mapping(tasks.invoke).poll()
    assert queue.left() == 0

    [row] = server.ask(
        "SELECT size, checksum FROM documents_document WHERE title = 'Story'"
    )
    assert row == (len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
    [line] = [each for each in lines(tasks) if "outcome" in each]
    assert line["request_id"] == "the-upload"
    assert line["task"] == "apps.documents.tasks.fingerprint"
    assert line["outcome"] == "succeeded"
    assert line["TaskSucceeded"] == 1
    [(task_id, status)] = server.ask(
        "SELECT id::text, status FROM lambda_task_results_storedtask"
    )
    assert (line["task_id"], status) == (task_id, "SUCCESSFUL")
    access = [line for line in lines(http) if line.get("status") == 302]
    assert [line["request_id"] for line in access] == ["the-upload"]
