"""What the local AWS gets to know of serverless.yml, by a real Serverless CLI."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from apps.aws_lambda.cli import ROOT
from apps.aws_lambda.cli.ports import free_port
from apps.aws_lambda.cli.run.offline import ServerlessOffline

from .conftest import Echo

SERVERLESS_YML = """
service: Shop
plugins: [./apps/aws_lambda/cli/serverless/offline/index.js, serverless-offline]
provider:
  name: aws
  runtime: python3.13
  region: eu-west-1
  environment:
    MEDIA_BUCKET: !Ref MediaBucket
    EXPORTS: !Ref Exports
    TASK_QUEUE_URL: !Ref TaskQueue
    UNUSED_QUEUE_URL: !Ref Unused
    MISSING: !Ref Missing
functions:
  http:
    handler: echo.handler
    environment:
      OWN_QUEUE_URL: !Ref Reports
    events:
      - httpApi: "*"
  tasks:
    handler: echo.handler
    events:
      - sqs:
          arn: !GetAtt TaskQueue.Arn
          batchSize: 4
      - sqs: {arn: !GetAtt Reports.Arn}
  schedule:
    handler: echo.handler
resources:
  Resources:
    MediaBucket:
      Type: AWS::S3::Bucket
      Properties:
        CorsConfiguration:
          CorsRules: [{AllowedMethods: [PUT], AllowedOrigins: ["https://example.com"]}]
    Exports:
      Type: AWS::S3::Bucket
      Properties: {BucketName: own-name}
    TaskQueue:
      Type: AWS::SQS::Queue
      Properties:
        QueueName: ${self:service}-tasks
        VisibilityTimeout: 90
        RedrivePolicy: {deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 3}
    Dead:
      Type: AWS::SQS::Queue
    Reports:
      Type: AWS::SQS::Queue
      Properties: {QueueName: reports.fifo, FifoQueue: true}
    Unused:
      Type: AWS::SQS::Queue
    Nightly:
      Type: AWS::Scheduler::Schedule
      Properties:
        ScheduleExpression: rate(1 day)
        FlexibleTimeWindow: {Mode: "OFF"}
        Target:
          Arn: !Sub "${ScheduleLambdaFunction.Arn}:live"
          RoleArn: arn:aws:iam::123456789012:role/x
          Input: '{"command": "report", "args": ["--all"]}'
"""
URL = "http://127.0.0.1:4999"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    """Return the description of the stage, and the environment of a function."""
    service = tmp_path_factory.mktemp("stage")
    (service / "serverless.yml").write_text(SERVERLESS_YML)
    shutil.copy(Path(__file__).with_name("echo.py"), service)
    for name in ("apps", "node_modules", ".venv"):
        (service / name).symlink_to(ROOT / name)
    offline = ServerlessOffline(
        http_port=free_port(),
        lambda_port=free_port(),
        log=service / "offline.log",
        environment={
            "LOCAL_AWS_URL": URL,
            "LOCAL_STAGE": str(service / "stage.json"),
            # Of AWS, in the shell of a developer.
            "TASK_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/1/real",
        },
        directory=service,
        until=["/"],
    )
    with offline:
        environment = Echo(offline)("/").echo["environment"]
    return json.loads((service / "stage.json").read_text()), environment


def by_name(resources: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {resource["name"]: resource for resource in resources}


def test_variables_that_refer_to_a_bucket_or_a_queue_have_the_local_one(
    served: tuple[Any, Any],
) -> None:
    _, environment = served

    assert environment["MEDIA_BUCKET"] == "shop-dev-mediabucket"
    assert environment["EXPORTS"] == "own-name"
    assert environment["TASK_QUEUE_URL"] == f"{URL}/123456789012/Shop-tasks"
    assert environment["OWN_QUEUE_URL"] == f"{URL}/123456789012/reports.fifo"


def test_a_queue_without_a_consumer_is_not_used(served: tuple[Any, Any]) -> None:
    """Tasks run at once then, and would wait forever in the queue."""
    stage, environment = served

    assert environment.keys().isdisjoint({"UNUSED_QUEUE_URL", "MISSING"})
    assert set(by_name(stage["queues"])) == {
        "Shop-tasks",
        "Shop-dev-Dead",
        "reports.fifo",
    }


def test_the_queues_are_those_of_the_stage(served: tuple[Any, Any]) -> None:
    stage, _ = served
    queues = by_name(stage["queues"])

    assert stage["region"] == "eu-west-1"
    assert queues["Shop-tasks"]["attributes"] == {"VisibilityTimeout": "90"}
    assert queues["Shop-tasks"]["dead"] == queues["Shop-dev-Dead"]["id"]
    assert queues["Shop-tasks"]["maxReceiveCount"] == 3
    assert queues["reports.fifo"]["attributes"] == {"FifoQueue": "true"}
    assert [(m["queue"], m["batchSize"], m["function"]) for m in stage["mappings"]] == [
        ("TaskQueue", 4, "Shop-dev-tasks"),
        ("Reports", 10, "Shop-dev-tasks"),
    ]


def test_the_schedules_are_those_of_the_stage(served: tuple[Any, Any]) -> None:
    stage, _ = served

    assert stage["schedules"] == [
        {
            "id": "Nightly",
            "expression": "rate(1 day)",
            "input": '{"command": "report", "args": ["--all"]}',
            "function": "Shop-dev-schedule",
        }
    ]
