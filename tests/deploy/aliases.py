"""A stage whose aliases are a table."""

from typing import Any

import boto3

from deploy.versions import VersionedStage, Versions

OLD: Versions = {"http": "1", "tasks": "1", "schedule": "1", "manage": "1"}
NEW: Versions = {"http": "2", "tasks": "3", "schedule": "2", "manage": "2"}


class Aliases(VersionedStage):
    """A stage whose aliases are a table, and whose CodeDeploy is told what to say."""

    def __init__(self, live: Versions) -> None:
        self.live = {**live}
        self.moves: list[tuple[str, str]] = []
        self.name = "prod"
        self.status = "UPDATE_ROLLBACK_COMPLETE"
        self.configuration = {
            "service": "site",
            "functions": {name: {"name": f"site-prod-{name}"} for name in OLD},
        }
        self.codedeploy = boto3.client(
            "codedeploy",
            region_name="eu-central-1",
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )

    def client(self, service: str) -> Any:
        assert service == "codedeploy"
        return self.codedeploy

    def versions(self, alias: str = "live") -> Versions:
        return {**self.live} if alias == "live" else {}

    def describe(self) -> dict[str, Any]:
        return {"StackStatus": self.status}

    def point(self, name: str, version: str, alias: str = "live") -> None:
        if alias == "live":
            self.moves.append((name, version))
            self.live[name] = version
