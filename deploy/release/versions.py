"""Which versions of a stage's functions are live, which were, and which may go."""

from typing import Any

from .stage import NotThere, Stage

ALIAS = "live"
# The version that was live before: what a rollback returns to.
PREVIOUS = "previous"
# How many versions besides these two are kept.
KEPT = 3

# Function -> version: {"http": "12", "tasks": "9"}
Versions = dict[str, str]


class VersionedStage(Stage):
    """A stage whose functions have versions, and aliases that point at them."""

    def newest(self) -> Versions:
        """Return the versions that the last deployment published; none before one."""
        outputs = self.outputs()
        arns = {
            name: outputs.get(f"{name[0].upper()}{name[1:]}LambdaFunctionQualifiedArn")
            for name in self.functions
        }
        return {name: arn.rpartition(":")[2] for name, arn in arns.items() if arn}

    def versions(self, alias: str = ALIAS) -> Versions:
        """Return the versions that an alias points at; none where it is missing."""
        found = {}
        for name, function in self.functions.items():
            try:
                answer = self.ask(
                    "lambda", "get_alias", FunctionName=function, Name=alias
                )
            except NotThere:
                continue
            found[name] = str(answer["FunctionVersion"])
        return found

    def shifting(self) -> bool:
        """Tell whether the traffic of the web function is shared by two versions."""
        alias = self.ask(
            "lambda", "get_alias", FunctionName=self.functions["http"], Name=ALIAS
        )
        return bool((alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights"))

    def point(self, name: str, version: str, alias: str = ALIAS) -> None:
        """Let an alias of a function point at a version, from this moment on."""
        function = self.functions[name]
        parameters: dict[str, Any] = {
            "FunctionName": function,
            "Name": alias,
            "FunctionVersion": version,
        }
        try:
            # Without weights: a canary that was stopped may have left some.
            self.ask(
                "lambda",
                "update_alias",
                **parameters,
                RoutingConfig={"AdditionalVersionWeights": {}},
            )
        except NotThere:
            self.ask("lambda", "create_alias", **parameters)

    def remember(self, versions: Versions) -> None:
        """Keep in mind which versions were live, for a rollback."""
        for name, version in versions.items():
            self.point(name, version, PREVIOUS)

    def prune(self) -> None:
        """Delete versions that nobody will return to: they fill Lambda's storage."""
        live, previous = self.versions(), self.versions(PREVIOUS)
        for name, function in self.functions.items():
            pages = self.client("lambda").get_paginator("list_versions_by_function")
            numbers = [
                int(version["Version"])
                for page in pages.paginate(FunctionName=function)
                for version in page["Versions"]
                if version["Version"] != "$LATEST"
            ]
            used = {int(found[name]) for found in (live, previous) if name in found}
            spare = sorted({*numbers} - used)
            for number in spare[: max(len(spare) - KEPT, 0)]:
                self.ask(
                    "lambda",
                    "delete_function",
                    FunctionName=function,
                    Qualifier=str(number),
                )


def spell(versions: Versions) -> str:
    """Return versions as a person reads them."""
    if not versions:
        return "none"
    numbers = set(versions.values())
    if len(numbers) == 1:
        return f"version {numbers.pop()}"
    return "versions " + ", ".join(f"{name} {v}" for name, v in versions.items())
