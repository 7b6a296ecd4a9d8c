"""
Run the probe until the site starts, with stand-ins for the variables that it misses.

The probe runs in a copy of what git tracks and with a bare environment, as on Lambda:
what the settings take from this machine's `.env` or shell is missing there, too.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..site import ask

PROBE = Path(__file__).with_name("probe.py")
# More than any known site has; each takes a start of Django.
MOST_STARTS = 60
KEY = "SECRET_KEY"


@dataclass(frozen=True)
class Probed:
    """
    The last report of the probe.

    ``stand_ins`` are values for the variables that the site does not start without,
    or that keep its SECRET_KEY the same. ``changing_key`` is whether SECRET_KEY
    differs from process to process all the same, and ``without_key`` whether the
    tracked settings have none, so that the variable of this name sets it.
    """

    report: dict[str, Any]
    stand_ins: dict[str, str]
    changing_key: bool = False
    without_key: bool = False


def probe(
    python: Path, copy: Path, root: Path, settings: str, given: Mapping[str, str]
) -> Probed:
    """
    Start the site in ``copy`` until it works or no variable is left to try.

    ``given`` are values for variables, which are not replaced. Raises SiteError if
    the probe itself cannot run.
    """
    question: dict[str, Any] = {"settings": settings, "root": str(root)}

    def start(values: Mapping[str, str]) -> dict[str, Any]:
        report = ask(python, PROBE, copy, question, {**given, **values})
        # What it wrote would not be there in the next process on Lambda.
        for name in report["written"]:
            if (copy / name).is_file():
                (copy / name).unlink()
        return report

    tried: dict[str, list[str]] = {}
    values: dict[str, str] = {}
    report = start(values)
    for _ in range(MOST_STARTS):
        if not report["error"]:
            break
        name = _next_variable(report, values, tried, given)
        if (
            not name
            and "SECRET_KEY setting must not be empty" in report["error"]["text"]
        ):
            # It is in a file that git does not track, such as a `local.py`.
            question["key"] = KEY
            name = KEY
        if not name:
            return Probed(report, _read(report, values))
        if name not in tried or name == question.get("key"):
            tried[name] = candidates(name, report["installed"])
        values[name] = tried[name].pop(0)
        report = start(values)
    values = _read(report, values)
    again = report if report["error"] else start(values)
    if again["error"]:
        # Such as settings that make a folder, which exists the second time.
        return Probed(again, values)
    if report["secret_key"] == again["secret_key"]:
        return Probed(report, values, without_key="key" in question)
    # A random key if a variable is missing: the deployment has to have it.
    for name, read in report["variables"].items():
        if read["missing"] and re.search("SECRET|KEY", name):
            more = values | {name: candidates(name, [])[0]}
            first, second = start(more), start(more)
            if not first["error"] and first["secret_key"] == second.get("secret_key"):
                return Probed(first, more)
    return Probed(report, values, changing_key=True)


def _read(report: dict[str, Any], values: dict[str, str]) -> dict[str, str]:
    """Return the values that the site reads: others were only guesses."""
    return {
        name: value for name, value in values.items() if name in report["variables"]
    }


def _next_variable(
    report: dict[str, Any],
    values: Mapping[str, str],
    tried: Mapping[str, list[str]],
    given: Mapping[str, str],
) -> str:
    """Return the variable to set, or to set to another value, or ""."""
    error: dict[str, Any] = report["error"]
    read: dict[str, dict[str, Any]] = report["variables"]
    missing = [name for name in read if read[name]["missing"] and name not in given]
    fields: list[str] = error.get("fields", [])
    words: list[str] = re.findall(r"\b[A-Z][A-Z0-9_]{2,}\b", error["text"])
    words = [*fields, *words]
    at_the_line = [
        name
        for name in missing
        if (read[name]["file"], read[name]["line"]) == (error["file"], error["line"])
    ]
    for name in (
        *fields,
        *(word for word in words if word in missing),
        *at_the_line,
        # The setting SECRET_KEY is empty, and comes from DJANGO_SECRET_KEY.
        *(name for word in words for name in missing if "_" in word and word in name),
        *(word for word in words if word not in read and "_" in word),
    ):
        if name not in values and name not in given:
            return name
    # The value of a stand-in is refused.
    named = [n for n, v in values.items() if n in words or _is_in(v, error["text"])]
    there = [
        name
        for name in values
        if (read.get(name, {}).get("file"), read.get(name, {}).get("line"))
        == (error["file"], error["line"])
    ]
    return next((name for name in [*named, *there] if tried[name]), "")


def _is_in(value: str, text: str) -> bool:
    return len(value) > 3 and value in text


def candidates(name: str, installed: list[str]) -> list[str]:
    """Return values to try for a variable: the likely kind by its name first."""
    word = f"stand-in-{name.lower().replace('_', '-')}"
    if "psycopg" in installed or "psycopg2" in installed:
        database = "postgres://stand-in@127.0.0.1:1/stand-in"
    elif "MySQLdb" in installed:
        database = "mysql://stand-in@127.0.0.1:1/stand-in"
    else:
        database = "sqlite:////tmp/stand-in.sqlite3"
    kinds = [
        (r"DATABASE_UR[IL]|DB_UR[IL]", database),
        (r"(REDIS|BROKER|CACHE|CELERY)\w*_UR[IL]", "redis://127.0.0.1:1/0"),
        (r"(EMAIL|MAIL|SMTP)\w*_UR[IL]", "smtp://127.0.0.1:1"),
        (r"DSN$", "https://stand-in@stand-in.example.com/1"),
        (r"UR[IL]$|ENDPOINT$", "https://stand-in.example.com"),
        (r"ORIGINS?$", "https://stand-in.example.com"),
        (r"(EMAIL|FROM)$", "stand-in@example.com"),
        (r"HOSTS?$|DOMAINS?$", "stand-in.example.com"),
        (r"PORT$|TIMEOUT$|SECONDS$|SIZE$|LIMIT$|AGE$", "1"),
        (r"DEBUG$|^USE_|^ENABLE_|_ENABLED?$|_SSL$|_TLS$", "False"),
        (r"_(DIR|PATH|ROOT|FOLDER)$", "/tmp"),  # noqa: S108
        (r"SECRET|KEY|TOKEN|SALT", f"{word}-which-is-for-checks-on-this-machine-only"),
    ]
    likely = [value for pattern, value in kinds if re.search(pattern, name)]
    others = [word, "1", "False", "https://stand-in.example.com", "{}"]
    return list(dict.fromkeys([*likely[:1], *others]))
