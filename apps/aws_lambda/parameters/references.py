"""
References to parameters and secrets, in any environment variable.

``ssm:/path/name`` stands for a parameter of the Systems Manager Parameter Store,
``secretsmanager:name`` for a secret, and ``secretsmanager:name:key`` for one key
of a secret that is a JSON object. They are replaced before the settings are read,
so settings never touch the network. docs/secrets.md has the rest.
"""

import json
import os
import time
from collections.abc import MutableMapping
from typing import NamedTuple, Self

from . import sources as parameter_sources
from .sources import Answers, Failure

DEFAULT_TTL = 300


class ParametersError(Exception):
    """
    Variables whose parameter or secret cannot be had.

    Its text names each of them and the reason, but no value: it goes to the log.
    """


class Reference(NamedTuple):
    """What a variable refers to. Without a key it is the whole value."""

    service: str  # a key of parameter_sources.SERVICES
    id: str
    key: str

    @classmethod
    def parse(cls, value: str) -> Self | None:
        """Return the reference that the value is, or None."""
        service, colon, name = value.partition(":")
        if not colon or service not in parameter_sources.SERVICES:
            return None
        if service != "secretsmanager":
            return cls(service, name, "")
        # An ARN has six colons of its own, and neither name nor key has one.
        parts = name.split(":")
        length = 7 if parts[0] == "arn" else 1
        return cls(service, ":".join(parts[:length]), ":".join(parts[length:]))

    def read(self, answers: dict[str, Answers]) -> str:
        """Return the value. Raise Failure if there is none."""
        answer = answers[self.service][self.id]
        if isinstance(answer, Failure):
            raise answer
        if not self.key:
            return answer
        try:
            document = json.loads(answer)
        except ValueError:
            raise Failure("the secret is not JSON, and has no keys") from None
        value = document.get(self.key) if isinstance(document, dict) else None
        if value is None:
            raise Failure("the secret has no such key")
        return value if isinstance(value, str) else json.dumps(value)


class _Resolved:
    """The references that ``resolve`` found, where it put the values, and when."""

    environ: MutableMapping[str, str] = os.environ
    references: dict[str, Reference]
    time = 0.0

    def __init__(self) -> None:
        self.references = {}


_resolved = _Resolved()


def resolve(environ: MutableMapping[str, str]) -> None:
    """
    Replace each reference in the environment by the value it stands for.

    Nothing is imported, asked or changed if there is none. What was replaced is
    remembered, so that ``refresh`` can ask again. Raises ParametersError, and then
    replaces nothing.
    """
    found = {}
    for name, value in environ.items():
        if reference := Reference.parse(value):
            found[name] = reference
    if _resolved.environ is not environ:
        _resolved.environ, _resolved.references = environ, {}
    if found:
        _fetch(found, fresh=False)
        _resolved.references.update(found)
        _resolved.time = time.time()


def refresh(*names: str) -> dict[str, str]:
    """
    Ask for the values again, past every cache, and return them by variable.

    Only those of the named variables that were references, or of all variables
    without a name. Raises ParametersError, and then the old values stay.
    """
    references = _resolved.references
    wanted = {n: references[n] for n in names or references if n in references}
    values = _fetch(wanted, fresh=True)
    if len(wanted) == len(references):
        _resolved.time = time.time()
    return values


def refresh_if_stale() -> dict[str, str]:
    """
    Refresh all values if they are older than LAMBDA_PARAMETERS_TTL seconds.

    For code that needs a value to be recent: after a snapshot was restored, or
    before the use of a key that others rotate. It costs nothing in between.
    """
    # Not the monotonic clock: it may stop while we are frozen.
    age = time.time() - _resolved.time
    ttl = float(_resolved.environ.get("LAMBDA_PARAMETERS_TTL") or DEFAULT_TTL)
    return refresh() if _resolved.references and age >= ttl else {}


def _fetch(references: dict[str, Reference], *, fresh: bool) -> dict[str, str]:
    wanted: dict[str, set[str]] = {}
    for reference in references.values():
        wanted.setdefault(reference.service, set()).add(reference.id)
    answers = parameter_sources.fetch(_resolved.environ, wanted, fresh=fresh)
    values, failures = {}, []
    for name, reference in sorted(references.items()):
        try:
            values[name] = reference.read(answers)
        except Failure as failure:
            failures.append(f"{name}: {failure}")
    if failures:
        raise ParametersError(f"No value for {'; '.join(failures)}.")
    _resolved.environ.update(values)
    return values
