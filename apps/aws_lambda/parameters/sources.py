"""The two services that have the values: Parameter Store and Secrets Manager."""

import time
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any

from ..aws.http import AwsError
from ..aws.limits import MAX_BATCH_GET_SECRET_VALUE_IDS, MAX_GET_PARAMETERS_NAMES
from ..aws.service import call

# For all calls together: Lambda ends an init phase after 10 seconds.
FETCH_TIMEOUT_SECONDS = 6.0

REASONS = {
    "AccessDeniedException": "the function's role has no permission",
    "DecryptionFailure": "the function's role has no permission to decrypt it",
    "ParameterNotFound": "there is no such parameter",
    "ResourceNotFoundException": "there is no such secret",
    "ValidationException": "the name is not valid",
}
# One name that causes these fails the call for all names in it.
WHOLE_CALL_ERRORS = ("AccessDeniedException", "ValidationException")


class Failure(Exception):
    """The reason why there is no value. The text is safe to show to anyone."""

    @classmethod
    def from_code(cls, code: str) -> "Failure":
        return cls(REASONS.get(code, f"AWS returned {code}"))


Environ = Mapping[str, str]
Values = dict[str, str | Failure]  # by name or ARN
# What asks a service for some names, until a deadline of time.monotonic().
Fetch = Callable[[Environ, float, list[str]], Values]


def fetch(
    environ: Environ, names_by_service: Mapping[str, Collection[str]]
) -> dict[str, Values]:
    """
    Return, for each service, the value of each name, or a Failure in its place.

    The keys of ``names_by_service`` are keys of SERVICES.
    """
    deadline = time.monotonic() + FETCH_TIMEOUT_SECONDS
    values = {}
    for service, names in names_by_service.items():
        size, from_service = SERVICES[service]
        fetch_batch = partial(from_service, environ, deadline)
        values[service] = _in_batches(sorted(names), size, fetch_batch)
    return values


def _in_batches(
    names: list[str], size: int, fetch_batch: Callable[[list[str]], Values]
) -> Values:
    values: Values = {}
    for start in range(0, len(names), size):
        batch = names[start : start + size]
        try:
            values |= fetch_batch(batch)
        except AwsError as error:
            if len(batch) > 1 and error.code in WHOLE_CALL_ERRORS:
                values |= _in_batches(batch, 1, fetch_batch)
            else:
                failure = Failure(REASONS.get(error.code, str(error)))
                values |= dict.fromkeys(batch, failure)
    return values


def _from_parameter_store(
    environ: Environ, deadline: float, names: list[str]
) -> Values:
    # https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameters.html
    document = call(
        environ,
        "ssm",
        "AmazonSSM.GetParameters",
        {"Names": names, "WithDecryption": True},
        deadline=deadline,
    )
    found = {}
    for parameter in document["Parameters"]:
        # The ":3" or ":label" of "name:3".
        selector = parameter.get("Selector") or ""
        for name in (parameter["Name"], parameter.get("ARN")):
            found[f"{name}{selector}"] = parameter["Value"]
    missing = Failure.from_code("ParameterNotFound")
    return {name: found.get(name, missing) for name in names}


def _from_secrets_manager(
    environ: Environ, deadline: float, names: list[str]
) -> Values:
    # https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html
    # https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_BatchGetSecretValue.html
    def ask(operation: str, parameters: dict[str, object]) -> dict[str, Any]:
        target = f"secretsmanager.{operation}"
        return call(environ, "secretsmanager", target, parameters, deadline=deadline)

    if len(names) == 1:
        return {names[0]: _text(ask("GetSecretValue", {"SecretId": names[0]}))}
    document = ask("BatchGetSecretValue", {"SecretIdList": names})
    found: Values = {}
    for error in document.get("Errors", []):
        found[error["SecretId"]] = Failure.from_code(error["ErrorCode"])
    for secret in document["SecretValues"]:
        # An ARN may be given without its last seven characters: a dash and six random
        # ones.
        for name in (secret["Name"], secret["ARN"], secret["ARN"][:-7]):
            found[name] = _text(secret)
    missing = Failure.from_code("ResourceNotFoundException")
    return {name: found.get(name, missing) for name in names}


def _text(secret: dict[str, Any]) -> str | Failure:
    return secret.get("SecretString") or Failure("the secret is binary, not text")


# How many names a call may have, and what makes the call.
SERVICES: dict[str, tuple[int, Fetch]] = {
    "ssm": (MAX_GET_PARAMETERS_NAMES, _from_parameter_store),
    "secretsmanager": (MAX_BATCH_GET_SECRET_VALUE_IDS, _from_secrets_manager),
}
