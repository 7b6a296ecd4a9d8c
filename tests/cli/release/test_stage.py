"""A stage in a region, and errors of calls to AWS as sentences with what to do."""

import subprocess
from collections.abc import Callable

import pytest
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    ProfileNotFound,
)

from apps.aws_lambda.cli import ROOT
from apps.aws_lambda.cli.release import serverless
from apps.aws_lambda.cli.release.errors import NotFound, errors_of_aws
from apps.aws_lambda.cli.release.progress import Progress
from apps.aws_lambda.cli.release.stage import Stage
from apps.aws_lambda.cli.report import DeployError, next_command
from apps.aws_lambda.commands.remote.region import VARIABLES
from apps.aws_lambda.commands.remote.responses import ForeignResponse


@pytest.mark.parametrize(
    "error", [NoCredentialsError(), ProfileNotFound(profile="shop")]
)
def test_missing_credentials_have_the_command_that_gets_them(error: Exception):
    with (
        pytest.raises(DeployError, match="Could not call lambda get_alias") as raised,
        errors_of_aws("lambda get_alias"),
    ):
        raise error

    assert "aws configure sso" in next_command(raised.value, "again")


def test_aws_out_of_reach_is_tried_again():
    with (
        pytest.raises(DeployError, match="No connection to lambda") as raised,
        errors_of_aws("lambda get_alias"),
    ):
        raise EndpointConnectionError(endpoint_url="https://lambda/a")

    assert "run: make info" in next_command(raised.value, "make info")


@pytest.mark.parametrize(
    ("code", "kind"),
    [("ResourceNotFoundException", NotFound), ("AccessDenied", DeployError)],
)
def test_a_refusal_of_aws_has_its_reason(code: str, kind: type[DeployError]):
    answer = {"Error": {"Code": code, "Message": "Not for you"}}
    with pytest.raises(kind, match="Not for you"), errors_of_aws("lambda get_alias"):
        raise ClientError(answer, "GetAlias")


def unclear(call: Callable[[], object]) -> Progress:
    """Return the progress after a change whose call fails."""
    progress = Progress()
    with (
        pytest.raises(DeployError),
        progress.move("http", "2"),
        errors_of_aws("lambda update_alias"),
    ):
        call()
    return progress


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize("code", ["", "ServiceException"])
def test_after_a_failure_of_aws_the_traffic_may_have_moved(status: int, code: str):
    def call() -> None:
        raise ClientError(
            {
                "Error": {"Code": code or str(status), "Message": "failed"},
                "ResponseMetadata": {"HTTPStatusCode": status},
            },
            "UpdateAlias",
        )

    progress = unclear(call)

    assert [*progress.facts.values()] == ["http may have moved to version 2."]
    assert progress.live == {}


def test_after_the_page_of_a_proxy_the_traffic_may_have_moved():
    def call() -> None:
        raise ForeignResponse(status=403, title="")

    assert unclear(call).changed


def test_what_aws_refuses_has_not_changed():
    def call() -> None:
        raise ClientError(
            {
                "Error": {"Code": "AccessDenied", "Message": "no"},
                "ResponseMetadata": {"HTTPStatusCode": 403},
            },
            "UpdateAlias",
        )

    assert not unclear(call).changed


class Nowhere(Stage):
    """A stage that has no stack, with what the Serverless CLI was called with."""

    def call(self, service: str, operation: str, **parameters: object) -> object:
        raise NotFound("Stack with id shop-prod does not exist")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The options of the Serverless CLI, which reads a region of this site."""
    asked: list[list[str]] = []

    def read(options: list[str]) -> dict[str, object]:
        asked.append([*options])
        given = dict(zip(options[::2], options[1::2], strict=True))
        region = given.get("--region", "eu-central-1")
        return {"service": "shop", "provider": {"region": region}}

    monkeypatch.setattr(serverless, "read", read)
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    return asked


def test_a_missing_stack_is_reported_with_the_region_and_its_source(
    asked: list[list[str]],
):
    with pytest.raises(NotFound) as raised:
        Nowhere("prod").stack()

    assert str(raised.value) == (
        "There is no stack shop-prod in eu-central-1. eu-central-1 is from "
        "serverless.yml."
    )
    assert raised.value.advice == (
        "make deploy STAGE=prod creates it, or if it is in another region: make info "
        "STAGE=prod REGION=ANOTHER-REGION"
    )


def test_a_region_of_the_command_line_is_that_of_every_call_and_next_command(
    asked: list[list[str]],
):
    stage = Nowhere("prod", region="us-west-2")

    with pytest.raises(NotFound) as raised:
        stage.stack()

    assert asked == [["--stage", "prod", "--region", "us-west-2"]]
    assert stage.region == "us-west-2"
    assert stage.client("lambda").meta.region_name == "us-west-2"
    assert str(raised.value).endswith(
        " us-west-2 is from --region; serverless.yml has eu-central-1."
    )
    assert raised.value.advice == (
        "make deploy STAGE=prod REGION=us-west-2 creates it, or if it is in another "
        "region: make info STAGE=prod REGION=eu-central-1"
    )


def test_make_passes_the_region():
    process = subprocess.run(
        ["make", "--dry-run", "info", "STAGE=prod", "REGION=us-west-2"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    assert 'cli info --stage "prod" --region "us-west-2"' in process.stdout
