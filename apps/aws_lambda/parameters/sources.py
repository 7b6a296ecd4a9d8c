"""Where parameters and secrets come from: the extension, else the two services."""

import time
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any

from ..aws.http import AwsError
from ..aws.service import call
from . import extension as parameter_extension

# Seconds for all questions together: Lambda ends an init phase after 10.
BUDGET = 6.0

REASONS = {
    "AccessDeniedException": "the function's role has no permission",
    "DecryptionFailure": "the function's role has no permission to decrypt it",
    "ParameterNotFound": "there is no such parameter",
    "ResourceNotFoundException": "there is no such secret",
    "ValidationException": "the name is not valid",
}
# With these, one name spoils the answer for all names of a batch.
SPOILED = ("AccessDeniedException", "ValidationException")


class Failure(Exception):
    """Why there is no value. Its text may be shown to anyone."""

    @classmethod
    def coded(cls, code: str) -> "Failure":
        return cls(REASONS.get(code, f"AWS answers {code}"))


Environ = Mapping[str, str]
Answers = dict[str, str | Failure]  # by name or ARN
Ask = Callable[[Environ, float, list[str]], Answers]


def fetch(
    environ: Environ, wanted: Mapping[str, Collection[str]], *, fresh: bool
) -> dict[str, Answers]:
    """
    Return, for each service, the value of each name, or why there is none.

    The keys of ``wanted`` are keys of SERVICES. The extension keeps values for
    minutes; ``fresh`` goes past it.
    """
    answers: dict[str, Answers] = {service: {} for service in wanted}
    if not fresh:
        for service, name, value in parameter_extension.ask(environ, wanted):
            answers[service][name] = value
    deadline = time.monotonic() + BUDGET
    for service, names in wanted.items():
        size, ask = SERVICES[service]
        rest = sorted(set(names) - set(answers[service]))
        question = partial(ask, environ, deadline)
        answers[service] |= _in_batches(rest, size, question)
    return answers


def _in_batches(
    names: list[str], size: int, ask: Callable[[list[str]], Answers]
) -> Answers:
    answers: Answers = {}
    for start in range(0, len(names), size):
        batch = names[start : start + size]
        try:
            answers |= ask(batch)
        except AwsError as error:
            if len(batch) > 1 and error.code in SPOILED:
                answers |= _in_batches(batch, 1, ask)
            else:
                failure = Failure(REASONS.get(error.code, str(error)))
                answers |= dict.fromkeys(batch, failure)
    return answers


def _ask_parameter_store(
    environ: Environ, deadline: float, names: list[str]
) -> Answers:
    # https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameters.html
    question = {"Names": names, "WithDecryption": True}
    document = call(
        environ, "ssm", "AmazonSSM.GetParameters", question, deadline=deadline
    )
    found = {}
    for parameter in document["Parameters"]:
        # ":3" or ":label" in "name:3"
        selector = parameter.get("Selector") or ""
        for name in (parameter["Name"], parameter.get("ARN")):
            found[f"{name}{selector}"] = parameter["Value"]
    missing = Failure.coded("ParameterNotFound")
    return {name: found.get(name, missing) for name in names}


def _ask_secrets_manager(
    environ: Environ, deadline: float, names: list[str]
) -> Answers:
    # https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html
    # https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_BatchGetSecretValue.html
    def ask(operation: str, question: dict[str, object]) -> dict[str, Any]:
        target = f"secretsmanager.{operation}"
        return call(environ, "secretsmanager", target, question, deadline=deadline)

    if len(names) == 1:
        return {names[0]: _text(ask("GetSecretValue", {"SecretId": names[0]}))}
    document = ask("BatchGetSecretValue", {"SecretIdList": names})
    found: Answers = {}
    for error in document.get("Errors", []):
        found[error["SecretId"]] = Failure.coded(error["ErrorCode"])
    for secret in document["SecretValues"]:
        # An ARN may be given without the dash and six characters at its end.
        for name in (secret["Name"], secret["ARN"], secret["ARN"][:-7]):
            found[name] = _text(secret)
    missing = Failure.coded("ResourceNotFoundException")
    return {name: found.get(name, missing) for name in names}


def _text(secret: dict[str, Any]) -> str | Failure:
    return secret.get("SecretString") or Failure("the secret is binary, not text")


# How many names a service takes at once, and how it is asked.
SERVICES: dict[str, tuple[int, Ask]] = {
    "ssm": (10, _ask_parameter_store),
    "secretsmanager": (20, _ask_secrets_manager),
}
