"""A stage whose aliases are a dictionary."""

from typing import Any

from apps.aws_lambda.cli.release.progress import Versions
from apps.aws_lambda.cli.release.stage import Stage

OLD: Versions = {"http": "1", "tasks": "1", "schedule": "1", "manage": "1"}
NEW: Versions = {"http": "2", "tasks": "3", "schedule": "2", "manage": "2"}


def healthy() -> None:
    """Find nothing wrong with the new version."""


class Aliases(Stage):
    """A stage with the aliases and the stack status that a test sets."""

    def __init__(self, live: Versions) -> None:
        self.live = {**live}
        self.moves: list[tuple[str, str]] = []
        self.name = "prod"
        self.status = "UPDATE_ROLLBACK_COMPLETE"
        self.configuration = {
            "service": "site",
            # Without a bucket there is no lock.
            "provider": {"region": "eu-central-1"},
            "custom": {"deployment": {"endpointsVpc": ""}},
            "functions": {name: {"name": f"site-prod-{name}"} for name in OLD},
        }

    def versions(self, alias: str = "live") -> Versions:
        return {**self.live} if alias == "live" else {}

    def stack(self) -> dict[str, Any]:
        return {"StackStatus": self.status}

    def set_alias(
        self,
        name: str,
        version: str,
        alias: str = "live",
        *,
        instead_of: str | None = None,
    ) -> None:
        if alias == "live":
            self.moves.append((name, version))
            self.live[name] = version
