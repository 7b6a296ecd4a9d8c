"""Problems that `make logs` reports before it starts the Serverless CLI."""

from typing import Any

import pytest

from apps.aws_lambda.cli.release import logs
from apps.aws_lambda.cli.release.stage import NotFound
from tests.cli.release.aliases import NEW, Aliases


def test_a_stage_without_a_log_group_is_reported(monkeypatch: pytest.MonkeyPatch):
    stage = Aliases(NEW)

    def missing(service: str, operation: str, **parameters: Any) -> Any:
        raise NotFound("The specified log group does not exist.")

    monkeypatch.setattr(stage, "call", missing)

    with pytest.raises(NotFound, match="no log group /aws/lambda/site-prod-http") as e:
        logs.follow(stage, "http")

    assert e.value.advice == (
        "create it with: make deploy STAGE=prod, then run: "
        "make logs STAGE=prod FUNCTION=http"
    )
