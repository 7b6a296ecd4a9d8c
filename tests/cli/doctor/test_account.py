"""What the doctor reads from AWS's answers about a stage."""

import json
import time
from typing import Any

import pytest

from apps.aws_lambda.cli.doctor import account, history
from apps.aws_lambda.cli.doctor.account import Deployed
from apps.aws_lambda.cli.doctor.line import OK, PROBLEM, Line
from tests.cli.doctor.conftest import ACCOUNT, DEAD_QUEUE, QUEUE, AnsweringStage

DEPLOY = "make deploy STAGE=prod"


# Alias


def test_the_live_versions_are_named(stage: AnsweringStage):
    assert account.alias(stage, stage.versions()) == Line(
        "alias", OK, "live is versions http 2, tasks 3, schedule 2, manage 2"
    )


def test_a_newer_version_that_is_not_live_is_named(stage: AnsweringStage):
    stage.live = dict.fromkeys(stage.live, "1")

    line = account.alias(stage, stage.versions())

    assert line.state == OK
    assert line.text.startswith("live is version 1, newest is versions http 2, ")


def test_a_function_without_the_alias_is_a_problem(stage: AnsweringStage):
    del stage.live["tasks"]

    line = account.alias(stage, stage.versions())

    assert line == Line("alias", PROBLEM, "tasks has no alias live", DEPLOY)


def test_two_versions_that_share_the_traffic_are_a_problem(stage: AnsweringStage):
    stage.answers["get_alias"] = {
        "RoutingConfig": {"AdditionalVersionWeights": {"1": 0.1}}
    }

    line = account.alias(stage, stage.versions())

    assert line.state == PROBLEM
    assert line.text.endswith("two versions share the traffic of http")
    assert line.next_step.endswith("make rollback STAGE=prod")


def test_a_function_that_cannot_be_invoked_is_a_problem(stage: AnsweringStage):
    functions = stage.deployed()
    assert account.states(stage, functions) is None
    functions["http"] = functions["http"]._replace(state="Inactive")
    assert account.states(stage, functions) is None
    functions["http"] = functions["http"]._replace(
        state="Failed", reason="The role cannot be assumed."
    )

    line = account.states(stage, functions)

    assert line
    assert line.state == PROBLEM
    assert line.text == "http is Failed: The role cannot be assumed."


# Environment


def test_all_variables_that_are_set_are_ok(stage: AnsweringStage):
    line = account.environment(stage, stage.deployed())

    # PUBLIC_URL is empty in serverless.yml too.
    assert line == Line(
        "environment", OK, "all 5 variables that the site needs are set"
    )


def test_missing_variables_are_named_without_any_value(stage: AnsweringStage):
    del stage.variables["http"]["SECRET_KEY"]
    stage.variables["tasks"]["SECRET_KEY"] = ""
    del stage.variables["tasks"]["MEDIA_BUCKET"]

    line = account.environment(stage, stage.deployed())

    assert line.state == PROBLEM
    assert line.text == (
        "MEDIA_BUCKET is not set in tasks; SECRET_KEY is not set in http, tasks"
    )
    assert line.next_step.endswith(DEPLOY)
    assert "ssm:" not in str(line)


def test_a_variable_with_a_stand_in_is_needed(stage: AnsweringStage):
    stage.configuration["provider"]["environment"] = {}
    stage.variables["manage"] = {}

    line = account.environment(stage, stage.deployed())

    assert line.text == "SECRET_KEY is not set in manage"


# Roles


def test_each_role_is_asked_for_what_its_function_needs(stage: AnsweringStage):
    line = account.roles(stage, stage.deployed())

    assert line == Line(
        "roles", OK, "IAM allows http, tasks, schedule, manage what they need"
    )
    asked: dict[str, dict[str, list[str]]] = {}
    for operation, parameters in stage.asked:
        if operation == "simulate_principal_policy":
            role = parameters["PolicySourceArn"].rpartition("-")[2]
            [resource] = parameters["ResourceArns"]
            asked.setdefault(role, {})[resource] = parameters["ActionNames"]
    ssm = f"arn:aws:ssm:eu-central-1:{ACCOUNT}:parameter/site/prod"
    group = f"arn:aws:logs:eu-central-1:{ACCOUNT}:log-group:/aws/lambda/site-prod"
    assert asked["manage"] == {
        f"{group}-manage:log-stream:doctor": ["logs:PutLogEvents"],
        f"{ssm}/database-url": ["ssm:GetParameters"],
        f"{ssm}/secret-key": ["ssm:GetParameters"],
        "arn:aws:s3:::site-media": ["s3:ListBucket"],
        "arn:aws:s3:::site-media/doctor": [
            *("s3:DeleteObject", "s3:GetObject", "s3:PutObject")
        ],
        f"arn:aws:sqs:eu-central-1:{ACCOUNT}:site-prod-tasks": ["sqs:SendMessage"],
    }
    assert asked["http"]["arn:aws:s3:::site-media"] == ["s3:ListBucket"]
    assert "s3:PutObject" in asked["http"]["arn:aws:s3:::site-media/doctor"]
    queue = f"arn:aws:sqs:eu-central-1:{ACCOUNT}:site-prod-tasks"
    assert asked["schedule"][queue] == ["sqs:SendMessage"]
    assert {"sqs:SendMessage", "sqs:ReceiveMessage"} <= {*asked["tasks"][queue]}


def test_what_iam_does_not_allow_is_a_problem(stage: AnsweringStage):
    def deny(**parameters: Any) -> dict[str, Any]:
        answer = stage.allowed(**parameters)
        for result in answer["EvaluationResults"]:
            if result["EvalActionName"] == "s3:PutObject":
                result["EvalDecision"] = "implicitDeny"
        return answer

    stage.answers["simulate_principal_policy"] = deny
    functions = stage.deployed()

    line = account.roles(stage, {"http": functions["http"]})

    assert line.state == PROBLEM
    assert line.text == "IAM does not allow s3:PutObject on site-media/doctor to http"
    assert line.next_step.endswith(DEPLOY)


def test_an_arn_of_a_parameter_is_asked_for_as_it_is():
    arn = f"arn:aws:ssm:eu-central-1:{ACCOUNT}:parameter/shared/key"
    function = Deployed(
        name="site-prod-manage",
        version="1",
        arn=f"arn:aws:lambda:eu-central-1:{ACCOUNT}:function:site-prod-manage",
        role="",
        state="Active",
        reason="",
        variables={"KEY": f"ssm:{arn}:3", "URL": "https://example.com:443"},
    )

    resources = dict(account.permissions("manage", function))

    assert resources.pop(arn) == ("ssm:GetParameters",)
    assert len(resources) == 1


# Secrets


def test_parameters_that_do_not_exist_are_a_problem(stage: AnsweringStage):
    assert account.secrets(stage) is None
    stage.answers["get_parameters"] = {"InvalidParameters": ["/site/prod/secret-key"]}

    line = account.secrets(stage)

    assert line
    assert line.state == PROBLEM
    assert "/site/prod/secret-key" in line.text
    assert line.next_step.startswith(DEPLOY)


# Queue


def messages(**counts: str) -> Any:
    def answer(**parameters: Any) -> dict[str, Any]:
        count = counts["dead" if parameters["QueueUrl"] == DEAD_QUEUE else "waiting"]
        return {"Attributes": {"ApproximateNumberOfMessages": count}}

    return answer


def test_an_empty_dead_letter_queue_is_ok(stage: AnsweringStage):
    stage.answers["get_queue_attributes"] = messages(waiting="7", dead="0")

    assert account.queue(stage, stage.deployed()) == Line(
        "queue", OK, "7 tasks wait, none is in the dead-letter queue"
    )


def test_dead_letters_are_a_problem(stage: AnsweringStage):
    stage.answers["get_queue_attributes"] = messages(waiting="0", dead="2")

    line = account.queue(stage, stage.deployed())

    assert line.state == PROBLEM
    assert line.text.startswith("2 tasks failed for the last time")
    assert line.next_step.endswith("docs/tasks.md#dead-letter-queue")


@pytest.mark.parametrize(
    ("mappings", "text", "next_step"),
    [
        ([], "does not exist", DEPLOY),
        (
            [{"UUID": "uuid-1", "State": "Disabled"}],
            "is Disabled",
            "aws lambda update-event-source-mapping --enabled --uuid uuid-1 "
            "--region eu-central-1",
        ),
    ],
)
def test_a_queue_that_is_not_delivered_is_a_problem(
    stage: AnsweringStage, mappings: list[Any], text: str, next_step: str
):
    stage.answers["list_event_source_mappings"] = {"EventSourceMappings": mappings}

    line = account.queue(stage, stage.deployed())

    assert line.state == PROBLEM
    assert f"the event source mapping of the queue {text}" in line.text
    [parameters] = [a for op, a in stage.asked if op == "list_event_source_mappings"]
    assert parameters == {
        "EventSourceArn": f"arn:aws:sqs:eu-central-1:{ACCOUNT}:site-prod-tasks"
    }
    assert line.next_step == next_step


def test_a_stack_without_a_queue_is_ok(
    stage: AnsweringStage, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(stage, "outputs", lambda: {"TaskQueueUrl": QUEUE})

    assert account.queue(stage, stage.deployed()).text == (
        "the stack has no task queue"
    )


# Errors


def event(seconds_ago: float, **fields: Any) -> dict[str, Any]:
    when = int((time.time() - seconds_ago) * 1000)
    return {"timestamp": when, "message": json.dumps(fields)}


def log(stage: AnsweringStage, **events: list[dict[str, Any]]) -> None:
    """Give functions a log."""

    def read(**parameters: Any) -> dict[str, Any]:
        name = parameters["logGroupName"].rpartition("-")[2]
        return {
            "events": [
                one
                for one in events.get(name, [])
                if one["timestamp"] >= parameters["startTime"]
            ]
        }

    stage.answers["filter_log_events"] = read


def test_the_latest_error_of_the_last_hour_is_shown(stage: AnsweringStage):
    log(
        stage,
        http=[
            event(
                60,
                level="ERROR",
                message="Internal Server Error: /x/",
                request_id="r-2",
            ),
            event(50, level="INFO", message="a line that the pattern let pass"),
        ],
        tasks=[event(90, level="ERROR", message="older", request_id="r-1")],
        manage=[event(7200, level="ERROR", message="too old")],
    )

    line = history.errors(stage, stage.versions())

    assert line.state == PROBLEM
    assert line.text.startswith("2 in the last hour, the latest at ")
    assert line.text.endswith(" UTC in http: Internal Server Error: /x/")
    assert line.next_step == (
        "aws logs tail /aws/lambda/site-prod-http --since 24h "
        "--filter-pattern '\"r-2\"' --region eu-central-1"
    )


def test_without_errors_in_the_last_hour_the_day_is_read(stage: AnsweringStage):
    log(stage, manage=[event(7200, level="FATAL", message="The init phase failed")])

    line = history.errors(stage, stage.versions())

    assert line.text.startswith("1 in the last 24 hours, ")
    assert line.text.endswith("in manage: The init phase failed")
    assert "--filter-pattern '\"FATAL\"'" in line.next_step


def test_an_invocation_that_lambda_ended_is_an_error(stage: AnsweringStage):
    report = {"requestId": "r-1", "status": "timeout"}
    log(stage, http=[event(60, type="platform.report", record=report)])

    line = history.errors(stage, stage.versions())

    assert line.text.endswith("in http: Lambda reports timeout")
    assert "r-1" in line.next_step


def test_an_id_that_is_not_safe_in_a_shell_is_not_in_the_command(
    stage: AnsweringStage,
):
    log(stage, http=[event(60, level="ERROR", message="no", request_id="'; rm -rf")])

    assert "rm" not in history.errors(stage, stage.versions()).next_step


def test_a_log_without_errors_is_ok(stage: AnsweringStage):
    log(stage, http=[{"timestamp": int(time.time() * 1000), "message": "no JSON"}])

    assert history.errors(stage, stage.versions()) == Line(
        "errors", OK, "none in the logs of the last 24 hours"
    )


def test_all_pages_of_a_log_are_read(stage: AnsweringStage):
    def read(**parameters: Any) -> dict[str, Any]:
        if "nextToken" not in parameters:
            return {"events": [], "nextToken": "second"}
        return {"events": [event(60, level="ERROR", message="second page")]}

    stage.answers["filter_log_events"] = read

    assert history.errors(stage, {"http": "2"}).text.endswith("second page")


def test_a_log_that_takes_too_long_is_not_ok(
    stage: AnsweringStage, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(history, "LOG_SECONDS", -1.0)
    stage.answers["filter_log_events"] = {"events": [], "nextToken": "more"}

    line = history.errors(stage, {"http": "2"})

    assert line.state == PROBLEM
    assert line.text.startswith("none in the part of the log")
    assert line.next_step.endswith("docs/operate.md#queries")


# Cold starts


def test_cold_starts_are_counted(stage: AnsweringStage):
    stage.measured = {
        "starts": [2, 1],
        "total": [2000, 700],
        "longest": [1200, 700],
        "invocations": [1500, 500],
    }

    assert history.cold_starts(stage, stage.deployed()) == Line(
        "cold starts",
        OK,
        "3 of http in the last 24 hours, 900 ms on average and 1,200 ms at most, for "
        "2,000 invocations",
    )


def test_an_init_phase_near_the_limit_of_lambda_is_a_problem(stage: AnsweringStage):
    stage.measured = {"starts": [1], "total": [8500], "longest": [8500]}

    line = history.cold_starts(stage, stage.deployed())

    assert line.state == PROBLEM
    assert line.next_step == "docs/capacity.md#cold-starts"


def test_the_metrics_are_those_of_the_site(stage: AnsweringStage):
    stage.variables["http"]["LAMBDA_METRICS_NAMESPACE"] = "Shop"

    assert history.cold_starts(stage, stage.deployed()).state == OK

    [(_, parameters)] = [a for a in stage.asked if a[0] == "get_metric_data"]
    query = parameters["MetricDataQueries"][0]["MetricStat"]["Metric"]
    assert query["Namespace"] == "Shop"
    assert query["Dimensions"] == [{"Name": "FunctionName", "Value": "site-prod-http"}]
