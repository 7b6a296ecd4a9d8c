"""The parameters and secrets to which serverless.yml refers."""

import re
from collections.abc import Iterator, Mapping
from hashlib import sha256
from itertools import batched
from typing import Any

from ...aws.limits import MAX_GET_PARAMETERS_NAMES
from .progress import Versions
from .stage import Stage

# "ssm:/shop/prod/url" of "ssm:/shop/prod/url:3", and "secretsmanager:db" of
# "secretsmanager:db:url".
REFERENCE = re.compile(r"ssm:[^:]+|secretsmanager:(arn:[^:]+(:[^:]*){5}|[^:]+)")


def missing_parameters(stage: Stage) -> list[str]:
    """Return the SSM parameters that serverless.yml names but do not exist."""
    return [
        name for answer in _parameters(stage) for name in answer["InvalidParameters"]
    ]


def parameters_version(stage: Stage) -> str:
    """Return a text that changes with each value of the SSM parameters."""
    found = sorted(
        f"{parameter['Name']}:{parameter['Version']}"
        for answer in _parameters(stage)
        for parameter in answer["Parameters"]
    )
    return sha256("\n".join(found).encode()).hexdigest()[:16]


def _parameters(stage: Stage) -> Iterator[dict[str, Any]]:
    """Yield what SSM returns for the parameters that serverless.yml names."""
    names = [
        value.removeprefix("ssm:")
        for value in stage.environment_variables.values()
        if isinstance(value, str) and value.startswith("ssm:")
    ]
    for batch in batched(names, MAX_GET_PARAMETERS_NAMES):
        yield stage.call("ssm", "get_parameters", Names=list(batch))


def lost_references(stage: Stage, live: Versions) -> list[str]:
    """
    Return the references to secrets that only the live versions have.

    Their roles lose the permission as soon as CloudFormation updates the stack.
    """
    lost = set()
    for name, version in live.items():
        configured = stage.call(
            "lambda",
            "get_function_configuration",
            FunctionName=stage.functions[name],
            Qualifier=version,
        )
        lost |= references(configured.get("Environment", {}).get("Variables", {}))
    return sorted(lost - references(stage.environment_variables))


def references(variables: Mapping[str, Any]) -> set[str]:
    """Return the references in environment variables, without versions and keys."""
    found = (REFERENCE.match(str(value)) for value in variables.values())
    return {match[0] for match in found if match}
