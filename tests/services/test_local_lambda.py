import base64
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import pytest

from apps.aws_lambda.cli.lambda_service import ExecutionEnvironment
from tests.services.aws import AWS
from tests.services.local_lambda import LocalLambda, Refused

HANDLER = """
import os, time

def handle(event, context):
    print("got", event, flush=True)
    if event == "raise":
        raise LookupError("not here")
    if event == "sleep":
        time.sleep(60)
    if isinstance(event, dict):
        time.sleep(event["seconds"])
    return {"pid": os.getpid(), "event": event}
"""


@pytest.fixture(scope="module")
def aws() -> Iterator[AWS]:
    with AWS() as running:
        yield running


@pytest.fixture
def endpoint(aws: AWS, tmp_path: Path) -> Iterator[LocalLambda]:
    (tmp_path / "module.py").write_text(HANDLER)

    def make(name: str, qualifier: str) -> ExecutionEnvironment:
        if name == "absent":
            raise LookupError(name)
        if name == "denied":
            raise Refused(403, "AccessDeniedException")
        handler = "module.absent" if name == "broken" else "module.handle"
        return ExecutionEnvironment({}, handler=handler, task_root=tmp_path)

    with LocalLambda(aws, make, timeout=10) as running:
        yield running
    aws.reset()


def client(endpoint: LocalLambda, service: str = "lambda") -> Any:
    return boto3.client(
        service,
        endpoint_url=endpoint.url,
        region_name="eu-central-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )


def invoke(endpoint: LocalLambda, event: Any, **options: Any) -> Any:
    response = client(endpoint).invoke(
        **{"FunctionName": "site", "Payload": json.dumps(event), **options}
    )
    return response, json.loads(response["Payload"].read() or b"null")


def test_an_environment_serves_one_call_after_another(endpoint: LocalLambda):
    _, first = invoke(endpoint, "one")
    _, second = invoke(endpoint, "two")

    assert second["event"] == "two"
    assert first["pid"] == second["pid"]


def test_calls_at_once_have_an_environment_each(endpoint: LocalLambda):
    with ThreadPoolExecutor() as pool:
        calls = [pool.submit(invoke, endpoint, {"seconds": 3}) for _ in range(2)]
        pids = {call.result()[1]["pid"] for call in calls}

    assert len(pids) == 2


def test_each_version_has_its_own(endpoint: LocalLambda):
    _, first = invoke(endpoint, "x", Qualifier="1")
    _, second = invoke(endpoint, "x", FunctionName="site:2")
    _, again = invoke(endpoint, "x", FunctionName="site:1")

    assert first["pid"] == again["pid"] != second["pid"]


def test_an_exception_and_the_timeout_are_function_errors(endpoint: LocalLambda):
    response, error = invoke(endpoint, "raise")
    assert response["FunctionError"] == "Unhandled"
    assert (error["errorType"], error["errorMessage"]) == ("LookupError", "not here")

    endpoint.timeout = 0.5
    _, late = invoke(endpoint, "sleep")
    assert late["errorType"] == "Sandbox.Timedout"

    # Lambda killed it, and the next call has another.
    endpoint.timeout = 10
    assert invoke(endpoint, "x")[1]["event"] == "x"


def test_a_failed_init_phase_is_a_function_error(endpoint: LocalLambda):
    response, error = invoke(endpoint, "x", FunctionName="broken")

    assert response["FunctionError"] == "Unhandled"
    assert error["errorType"] == "Runtime.HandlerNotFound"


def test_a_call_that_lambda_rejects_is_an_error_of_the_client(endpoint: LocalLambda):
    exceptions = client(endpoint).exceptions

    with pytest.raises(exceptions.ResourceNotFoundException, match="absent"):
        invoke(endpoint, "x", FunctionName="absent")
    with pytest.raises(exceptions.ClientError, match="AccessDeniedException"):
        invoke(endpoint, "x", FunctionName="denied")


def test_an_event_is_taken_at_once_and_served_later(endpoint: LocalLambda):
    response, _ = invoke(endpoint, "later", InvocationType="Event")

    assert response["StatusCode"] == 202
    assert wait_for(endpoint, "got later")


def test_its_log_is_in_cloudwatch_and_its_end_in_the_result(
    endpoint: LocalLambda,
):
    response, _ = invoke(endpoint, "hello", LogType="Tail")

    assert base64.b64decode(response["LogResult"]).decode().endswith("got hello\n")
    assert wait_for(endpoint, "got hello")


def wait_for(endpoint: LocalLambda, message: str) -> bool:
    """Return whether the log has the message within 30 seconds."""
    logs = client(endpoint, "logs")
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        groups = logs.describe_log_groups(logGroupNamePrefix="/aws/lambda/site")
        if groups["logGroups"]:
            events = logs.filter_log_events(logGroupName="/aws/lambda/site")["events"]
            if message in [event["message"] for event in events]:
                return True
        time.sleep(0.05)
    return False


def test_moto_serves_every_other_service(endpoint: LocalLambda):
    queue = client(endpoint, "sqs").create_queue(QueueName="one")["QueueUrl"]

    assert queue.endswith("/one")
    assert client(endpoint).list_functions()["Functions"] == []
