"""The site on this machine: its variables, and its database and static files."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .. import ROOT
from ..configuration import FILE, Configuration
from ..site import SiteError, ask, find_python

PREPARE = Path(__file__).with_name("prepare.py")


@dataclass(frozen=True)
class LocalSite:
    """A site that is ready to be served by ``python`` with these ``variables``."""

    configuration: Configuration
    python: Path
    variables: Mapping[str, str]
    stand_ins: tuple[str, ...]
    database: str
    login: str
    # The folders of static files, and the paths to which the site writes.
    static: Sequence[str]
    written: Sequence[str]
    # Whether it can store uploads in a bucket.
    storages: bool
    # The path of the admin's page of background tasks, or "", and how many are not
    # finished: the local queue ends with `run`.
    results: str
    lost: int


def prepare(state: Path, local: Mapping[str, str]) -> LocalSite:
    """
    Prepare the site with the settings that it has on Lambda.

    Variables of this machine take precedence. If the site does not start with them
    alone, those that are missing have the stand-ins of django-on-lambda.toml. ``state``
    is the folder for the password and the static files, and ``local`` are the variables
    of the local AWS. Raises SiteError or ConfigurationError.
    """
    configuration = Configuration.read()
    python = find_python(ROOT)
    variables = {
        # libpq's default is about two minutes.
        "PGCONNECT_TIMEOUT": "5",
        **os.environ,
        # As the plugin sets them for the functions.
        "STAGE": "local",
        "LAMBDA_HOSTS": "localhost,127.0.0.1",
        "LAMBDA_URL_SCHEME": "http",
        # Where the functions look for them, and not among the files of the site.
        "LAMBDA_STATIC_ROOT": str(state.resolve() / "static"),
        **local,
    }
    question = {
        "settings": configuration.settings,
        "password": str(state.resolve() / "admin-password"),
    }
    report = ask(python, PREPARE, ROOT, question, variables)
    missing = {
        name: value
        for name, value in configuration.stand_ins.items()
        if name not in variables and name not in names_in(ROOT / ".env")
    }
    if report["error"] and report["stage"] == "settings" and missing:
        variables |= missing
        report = ask(python, PREPARE, ROOT, question, variables)
    else:
        missing = {}
    if report["error"]:
        advice = (
            f"\nThese variables have the stand-ins of {FILE}: {', '.join(missing)}"
            if missing
            else ""
        )
        raise SiteError(report["error"] + advice)
    return LocalSite(
        configuration=configuration,
        python=python,
        variables=variables,
        stand_ins=tuple(missing),
        database=report["database"],
        login=report["login"],
        static=report["static"],
        written=report["written"],
        storages=report["storages"],
        results=report["results"],
        lost=report["lost"],
    )


def names_in(file: Path) -> set[str]:
    """Return the names of the variables in a .env file, which the site may read."""
    text = file.read_text(errors="replace") if file.is_file() else ""
    return set(re.findall(r"^\s*(?:export\s+)?(\w+)\s*=", text, re.MULTILINE))
