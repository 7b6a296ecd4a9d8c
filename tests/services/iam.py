"""What IAM policies allow: the local AWS checks no permissions."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

Statement = Mapping[str, Any]


class Access(NamedTuple):
    """
    An action on a resource, in IAM's words.

    ``context`` has the condition keys of the request.
    """

    action: str
    resource: str
    context: tuple[tuple[str, str], ...] = ()


def is_allowed(statements: Iterable[Statement], access: Access) -> bool:
    """
    Return whether statements allow an access, and none denies it.

    Raises ValueError for an element that this does not evaluate.
    """
    effects = {s["Effect"] for s in statements if _applies(s, access)}
    return effects == {"Allow"}


def _applies(statement: Statement, access: Access) -> bool:
    known = {"Sid", "Effect", "Action", "Resource", "Condition"}
    if unknown := set(statement) - known:
        raise ValueError(f"{unknown} is not evaluated.")
    actions, resources = map(_listed, (statement["Action"], statement["Resource"]))
    return (
        any(_matches(action.lower(), access.action.lower()) for action in actions)
        and any(_matches(resource, access.resource) for resource in resources)
        and _holds(statement.get("Condition", {}), dict(access.context))
    )


def _holds(condition: Mapping[str, Any], context: Mapping[str, str]) -> bool:
    if unknown := set(condition) - {"StringEquals"}:
        raise ValueError(f"{unknown} is not evaluated.")
    return all(
        context.get(key) in _listed(values)
        for key, values in condition.get("StringEquals", {}).items()
    )


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _matches(pattern: str, text: str) -> bool:
    parts = (re.escape(part).replace(r"\?", ".") for part in pattern.split("*"))
    return re.fullmatch(".*".join(parts), text, re.S) is not None
