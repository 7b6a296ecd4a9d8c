"""
What the bucket deletes by itself: its lifecycle rules.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lifecycle-mgmt.html
"""

from collections.abc import Iterator
from typing import Any

from ...downloads import FOLDER
from ..release.errors import NoAccess, Refused
from ..report import DeployError
from .finding import OK, PROBLEM, UNKNOWN, Finding
from .target import Target

NO_RULES = "NoSuchLifecycleConfiguration"


def try_rules(target: Target) -> Iterator[Finding]:
    """Yield which rules end uploads and delete answers of the site."""
    items = {
        "unfinished uploads": ("a rule that ends them", unfinished),
        f"{FOLDER}/": ("a rule that deletes what is below", answers),
    }
    try:
        rules = enabled(target)
    except NoAccess:
        raise
    except DeployError as error:
        for item, (expected, _) in items.items():
            yield Finding(item, UNKNOWN, expected, " ".join(str(error).split()))
        return
    for item, (expected, days_of) in items.items():
        days = [found for rule in rules if (found := days_of(rule))]
        text = f"days: {min(days)}" if days else "no such rule"
        yield Finding(item, OK if days else PROBLEM, expected, text)


def enabled(target: Target) -> list[dict[str, Any]]:
    """Return the rules. Raises DeployError."""
    try:
        answer = target.call("get_bucket_lifecycle_configuration")
    except Refused as error:
        if NO_RULES in repr(error.__cause__):
            return []
        raise
    return [rule for rule in answer["Rules"] if rule["Status"] == "Enabled"]


def prefix_of(rule: dict[str, Any]) -> str | None:
    """Return the prefix of a rule; None if it is for some files by another filter."""
    given = rule.get("Filter", {"Prefix": rule.get("Prefix", "")})
    return str(given.get("Prefix", "")) if {*given} <= {"Prefix"} else None


def unfinished(rule: dict[str, Any]) -> int:
    """Return after how many days the rule ends all unfinished uploads, 0 if never."""
    end = rule.get("AbortIncompleteMultipartUpload", {})
    return int(end.get("DaysAfterInitiation", 0)) if prefix_of(rule) == "" else 0


def answers(rule: dict[str, Any]) -> int:
    """Return after how many days the rule deletes answers and no other files."""
    prefix = prefix_of(rule)
    if not prefix or not f"{FOLDER}/".startswith(prefix):
        return 0
    return int(rule.get("Expiration", {}).get("Days", 0))
