"""How traffic shifts, and what happens if it cannot."""

import json
from dataclasses import replace
from io import BytesIO
from typing import Any

import pytest

from apps.aws_lambda.cli.configuration import Configuration
from apps.aws_lambda.cli.release import references, release, rollback, state, traffic
from apps.aws_lambda.cli.release.lock import StageLock
from apps.aws_lambda.cli.release.progress import Versions
from apps.aws_lambda.cli.report import DeployError
from tests.cli.release.aliases import NEW, OLD, Aliases, healthy
from tests.services.http_stub import HttpStub

SITE = Configuration(
    settings="site.settings", lock="uv.lock", code=("site",), pages=("/accounts/",)
)
# The header of the site's own responses.
OURS = {"x-request-id": "1"}


def test_consumers_of_tasks_shift_before_the_web_function():
    stage = Aliases(OLD)

    traffic.shift(stage, OLD, NEW)

    assert [name for name, _ in stage.moves] == ["manage", "schedule", "tasks", "http"]
    assert stage.live == NEW


def test_the_traffic_moves_back_in_reverse_order():
    stage = Aliases(NEW)

    traffic.move_back(stage, NEW, OLD)

    assert [name for name, _ in stage.moves] == ["http", "tasks", "schedule", "manage"]
    assert stage.live == OLD


def test_a_live_version_is_not_shifted_again():
    stage = Aliases(NEW)

    traffic.shift(stage, NEW, NEW, healthy)

    assert stage.moves == []


def test_the_aliases_are_restored_after_cloudformation_rolls_back(
    monkeypatch: pytest.MonkeyPatch,
):
    stage = Aliases(NEW)

    def undone(stage: Aliases, live: Versions) -> None:
        # The template of the stack had the previous version.
        stage.live = {**OLD}
        raise DeployError(
            "`serverless deploy` failed with exit code 1; its output is above."
        )

    monkeypatch.setattr(release, "deploy", undone)

    with pytest.raises(DeployError):
        release.release(stage, NEW, StageLock(stage, "deploy"))

    assert stage.live == NEW


def test_a_response_of_another_site_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(traffic, "SITE_SECONDS", 0)

    with (
        HttpStub(lambda request: (200, "Welcome!")) as site,
        pytest.raises(DeployError, match="was answered by another site"),
    ):
        traffic.check_site(site.url, Configuration.read())


def test_a_rollback_during_a_shift_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    stage = Aliases(OLD)
    monkeypatch.setattr(stage, "is_shifting", lambda: True)
    monkeypatch.setattr(rollback, "Stage", lambda name, region: stage)
    monkeypatch.setattr("sys.argv", ["rollback", "--stage", "prod"])

    assert rollback.main() == 1

    assert "aws deploy stop-deployment" in capsys.readouterr().err
    assert stage.moves == []


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        ("ROLLBACK_COMPLETE", "make remove STAGE=prod"),
        ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback"),
        ("UPDATE_IN_PROGRESS", ""),
    ],
)
def test_a_stack_that_cannot_be_updated_is_reported_with_the_fix(
    monkeypatch: pytest.MonkeyPatch, status: str, advice: str
):
    stage = Aliases(OLD)
    stage.configuration["provider"] = {"region": "eu-central-1"}
    monkeypatch.setattr(state, "missing_parameters", lambda stage: [])
    monkeypatch.setattr(stage, "stack", lambda: {"StackStatus": status})

    with pytest.raises(DeployError) as stopped:
        state.check_ready(stage)

    assert advice in stopped.value.advice


def test_a_failure_before_the_release_reports_what_is_live(
    capsys: pytest.CaptureFixture[str],
):
    state.report_failure(DeployError("No."), Aliases(NEW), {}, "make deploy")

    assert "The site is served by versions http 2, tasks 3" in capsys.readouterr().err


@pytest.mark.parametrize(
    "answer",
    [
        {"Payload": BytesIO(b'{"statusCode": 503, "body": "{}"}')},
        {
            "Payload": BytesIO(b'{"errorType": "InitError"}'),
            "FunctionError": "Unhandled",
        },
        {"Payload": BytesIO(b"null")},
    ],
)
def test_a_version_that_fails_its_health_check_gets_no_traffic(
    monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any]
):
    stage = Aliases(OLD)
    monkeypatch.setattr(stage, "published", lambda: NEW)
    monkeypatch.setattr(stage, "public_url", lambda: "https://example.com")
    monkeypatch.setattr(stage, "call", lambda *args, **kwargs: answer)
    for done_before in ("deploy", "run_command"):
        monkeypatch.setattr(release, done_before, lambda *args: None)

    with pytest.raises(
        DeployError, match="Version 2 of site-prod-http failed its health check"
    ):
        release.release(stage, OLD, StageLock(stage, "deploy"))

    assert stage.moves == []


def test_a_version_gets_the_first_page_for_the_host_name_of_the_site(
    monkeypatch: pytest.MonkeyPatch,
):
    stage = Aliases(OLD)
    sent: dict[str, Any] = {}

    def call(*args: str, **parameters: Any) -> dict[str, Any]:
        sent.update(json.loads(parameters["Payload"]))
        return {"Payload": BytesIO(b'{"statusCode": 302}')}

    monkeypatch.setattr(stage, "call", call)

    release.check_health(stage, "2", "https://example.com/shop", SITE, "/accounts/")

    assert sent["rawPath"] == "/accounts/"
    assert sent["headers"] == {"host": "example.com"}


def test_a_redirect_of_the_site_to_a_login_elsewhere_is_healthy():
    login = {**OURS, "Location": "https://login.example.com/"}

    with HttpStub(lambda request: (302, "", login)) as site:
        traffic.check_site(site.url, SITE)

        assert [request.path for request in site.requests] == ["/accounts/"]


@pytest.mark.parametrize(("pages", "healthy"), [((), True), (("/",), False)])
def test_a_site_without_a_home_page_is_healthy_unless_the_page_is_named(pages, healthy):
    site = replace(SITE, pages=pages)

    with HttpStub(lambda request: (404, "", OURS)) as stub:
        if healthy:
            traffic.check_site(stub.url, site)
        else:
            with pytest.raises(DeployError, match=r"/ returned status 404\."):
                traffic.check_site(stub.url, site)


def test_an_unreachable_site_is_an_error_after_a_while(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(traffic, "SITE_SECONDS", 0)

    # Nothing listens on port 1.
    with pytest.raises(DeployError, match="could not be reached"):
        traffic.check_site("http://127.0.0.1:1", Configuration.read())


def test_a_new_gateway_gets_some_time(
    monkeypatch: pytest.MonkeyPatch,
):
    answers = iter([(404, '{"message":"Not Found"}', {}), (200, "{}", OURS)])
    monkeypatch.setattr(
        "apps.aws_lambda.cli.release.traffic.time.sleep", lambda seconds: None
    )

    with HttpStub(lambda request: next(answers)) as site:
        traffic.check_site(site.url, Configuration.read())

        assert [request.path for request in site.requests] == ["/health/ready"] * 2


def test_a_release_names_the_versions_of_the_parameters(
    monkeypatch: pytest.MonkeyPatch,
):
    stage = Aliases(OLD)
    stage.configuration["provider"] = {
        "environment": {"A": "ssm:/shop/prod/a", "B": "ssm:/shop/prod/b", "C": "c"}
    }
    versions = {"/shop/prod/a": 1, "/shop/prod/b": 7}
    deployed: list[tuple[str, ...]] = []
    monkeypatch.setattr(stage, "serverless", lambda *words: deployed.append(words))
    monkeypatch.setattr(
        stage,
        "call",
        lambda *_, Names: {  # noqa: N803
            "Parameters": [{"Name": n, "Version": versions[n]} for n in Names],
            "InvalidParameters": [],
        },
    )

    for version in (1, 1, 2):
        versions["/shop/prod/a"] = version
        release.deploy(stage, OLD)

    first, second, third = deployed
    assert first == second
    assert first[:2] == third[:2] == ("deploy", "--param")
    assert first[2].startswith("parametersVersion=")
    assert first[2] != third[2]
    assert first[3:] == ("--param", "live=http:1,tasks:1,schedule:1,manage:1")


def test_any_number_of_parameters_is_looked_for(monkeypatch: pytest.MonkeyPatch):
    """A call takes ten names."""
    names = [f"/shop/prod/{number}" for number in range(11)]
    stage = Aliases(OLD)
    stage.configuration["provider"] = {
        "environment": {f"V{n}": f"ssm:{n}" for n in names}
    }
    calls: list[list[str]] = []

    def get_parameters(*_: str, Names: list[str]) -> dict[str, list[str]]:  # noqa: N803
        calls.append(Names)
        return {"InvalidParameters": Names[-1:]}

    monkeypatch.setattr(stage, "call", get_parameters)

    assert references.missing_parameters(stage) == [names[9], names[10]]
    assert [*map(len, calls)] == [10, 1]


def test_references_that_only_the_live_version_has_are_found(
    monkeypatch: pytest.MonkeyPatch,
):
    arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:shop-AbC"
    live = {
        "A": "ssm:/shop/prod/a:3",
        "B": "ssm:/shop/prod/b",
        "C": "secretsmanager:shop:url",
        "D": f"secretsmanager:{arn}:key",
        "STAGE": "prod",
    }
    stage = Aliases(OLD)
    stage.configuration["provider"] = {
        "environment": {"A": "ssm:/shop/prod/a:4", "E": {"Ref": "Queue"}}
    }
    asked = []

    def configuration(service: str, operation: str, **parameters: Any) -> Any:
        asked.append((parameters["FunctionName"], parameters["Qualifier"]))
        return {"Environment": {"Variables": live}} if len(asked) == 1 else {}

    monkeypatch.setattr(stage, "call", configuration)

    assert references.lost_references(stage, OLD) == [
        f"secretsmanager:{arn}",
        "secretsmanager:shop",
        "ssm:/shop/prod/b",
    ]
    assert asked[0] == ("site-prod-http", "1")


def test_a_permission_that_the_live_version_needs_is_warned_of(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    stage = Aliases(OLD)
    stage.status = "UPDATE_COMPLETE"
    monkeypatch.setattr(state, "missing_parameters", lambda stage: [])
    monkeypatch.setattr(stage, "is_shifting", lambda: False)
    lost = ["ssm:/shop/prod/b"]
    monkeypatch.setattr(state, "lost_references", lambda stage, live: lost)

    assert state.check_ready(stage) == OLD

    assert "Warning: the live version reads ssm:/shop/prod/b, and CloudFormation " in (
        capsys.readouterr().out
    )
