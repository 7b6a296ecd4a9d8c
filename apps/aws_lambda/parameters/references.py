"""
References to parameters and secrets, in any environment variable.

``ssm:/path/name`` stands for a parameter of the Systems Manager Parameter Store,
``secretsmanager:name`` for a secret, and ``secretsmanager:name:key`` for one key
of a secret that is a JSON object.
"""

import json
import os
import time
from collections.abc import MutableMapping
from typing import NamedTuple, Self

from .sources import SERVICES, Failure, Values, fetch

DEFAULT_TTL_SECONDS = 300


class ParametersError(Exception):
    """
    No value for one or more variables.

    The text has each variable and the reason, but no value: it is logged.
    """


class Reference(NamedTuple):
    """What a variable refers to. An empty key means the whole value."""

    service: str  # a key of SERVICES
    id: str
    key: str

    @classmethod
    def parse(cls, value: str) -> Self | None:
        """Return the reference in this value, or None if the value is not one."""
        service, colon, name = value.partition(":")
        if not colon or service not in SERVICES:
            return None
        if service != "secretsmanager":
            return cls(service, name, "")
        # An ARN contains six colons. A name or a key contains none.
        parts = name.split(":")
        length = 7 if parts[0] == "arn" else 1
        return cls(service, ":".join(parts[:length]), ":".join(parts[length:]))

    def read(self, values: dict[str, Values]) -> str:
        """Return the value. Raises Failure without one."""
        value = values[self.service][self.id]
        if isinstance(value, Failure):
            raise value
        if not self.key:
            return value
        try:
            document = json.loads(value)
        except ValueError:
            raise Failure("the secret is not JSON, so it has no keys") from None
        found = document.get(self.key) if isinstance(document, dict) else None
        if found is None:
            raise Failure("the secret has no such key")
        return found if isinstance(found, str) else json.dumps(found)


class _Resolved:
    """The references that ``resolve`` replaced, in which environment, and when."""

    environ: MutableMapping[str, str] = os.environ
    references: dict[str, Reference]
    time = 0.0

    def __init__(self) -> None:
        self.references = {}


_resolved = _Resolved()


def resolve(environ: MutableMapping[str, str]) -> None:
    """
    Replace each reference in the environment with its value.

    No call is made if there is no reference. The references are remembered for
    ``refresh``. Raises ParametersError, and then replaces nothing.
    """
    found = {}
    for name, value in environ.items():
        if reference := Reference.parse(value):
            found[name] = reference
    if _resolved.environ is not environ:
        _resolved.environ, _resolved.references = environ, {}
    if found:
        _replace(found)
        _resolved.references.update(found)
        _resolved.time = time.time()


def refresh(*names: str) -> dict[str, str]:
    """
    Fetch values again, replace them in the environment, and return them by variable.

    Without names, the values of all variables that were references; otherwise of
    those among the named ones. Raises ParametersError, and then replaces nothing.
    """
    references = _resolved.references
    wanted = {n: references[n] for n in names or references if n in references}
    values = _replace(wanted)
    if len(wanted) == len(references):
        _resolved.time = time.time()
    return values


def read_version(name: str, version: int) -> str:
    """
    Return the value that the parameter of a variable had in this version.

    Nothing is replaced. Raises ParametersError without a value, or if the variable was
    not a reference to a parameter.
    """
    found = _resolved.references.get(name)
    if found is None or found.service != "ssm":
        raise ParametersError(f"{name} does not refer to a parameter.")
    former = found._replace(id=f"{found.id}:{version}")
    values, reasons = _read({name: former})
    if reasons:
        raise ParametersError(f"No value for {name}: {reasons[name]}.")
    return values[name]


def check() -> dict[str, str]:
    """
    Fetch each value again, and return by variable why it cannot be, or "".

    The variables are all that were references. Nothing is replaced.
    """
    _, reasons = _read(_resolved.references)
    return {name: reasons.get(name, "") for name in sorted(_resolved.references)}


def refresh_if_stale() -> dict[str, str]:
    """
    Refresh all values if they are older than LAMBDA_PARAMETERS_TTL seconds.

    For code that needs a recent value, such as a key that is rotated elsewhere.
    Until the values are stale it makes no call and returns an empty dictionary.
    """
    # Not the monotonic clock: it may stop during a freeze.
    age = time.time() - _resolved.time
    ttl = float(_resolved.environ.get("LAMBDA_PARAMETERS_TTL") or DEFAULT_TTL_SECONDS)
    return refresh() if _resolved.references and age >= ttl else {}


def _replace(references: dict[str, Reference]) -> dict[str, str]:
    values, reasons = _read(references)
    if reasons:
        failures = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
        raise ParametersError(f"No value for {failures}.")
    _resolved.environ.update(values)
    return values


def _read(references: dict[str, Reference]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the values, and the reasons of the variables that have none."""
    names: dict[str, set[str]] = {}
    for reference in references.values():
        names.setdefault(reference.service, set()).add(reference.id)
    fetched = fetch(_resolved.environ, names)
    values, reasons = {}, {}
    for variable, reference in sorted(references.items()):
        try:
            values[variable] = reference.read(fetched)
        except Failure as failure:
            reasons[variable] = str(failure)
    return values, reasons
