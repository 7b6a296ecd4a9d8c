"""Find out what the site is."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ..site import SiteError, ask, find_python
from .environment import PROBE, Probed, probe
from .locks import DISTRIBUTION, Lock, find_lock
from .modules import Modules, find_modules
from .packages import Packages, examine_packages
from .repository import Repository

PYTHON = (3, 12)
DJANGO = (5, 2)


class Refused(Exception):
    """Why this site cannot be adopted, and what to do, in a sentence."""


@dataclass(frozen=True)
class Site:
    """
    All that was found.

    ``production`` is the settings module of production, and ``why`` how it was found.
    ``tracked`` are the files that git tracks, without those of adopt.
    """

    repository: Repository
    tracked: tuple[str, ...]
    python: Path
    modules: Modules
    production: str
    why: str
    probed: Probed
    lock: Lock | None
    packages: Packages = field(default_factory=Packages)

    @property
    def root(self) -> Path:
        return self.repository.root

    @property
    def report(self) -> dict[str, Any]:
        return self.probed.report

    @property
    def settings(self) -> dict[str, Any]:
        effective: dict[str, Any] = self.report["settings"]
        return effective

    @property
    def python_version(self) -> str:
        """The version as Lambda's runtimes have it: "3.13"."""
        return "{}.{}".format(*self.report["python"])

    def place(self, *settings: str) -> str:
        """Return file and line of the first of these settings that is set, or ""."""
        found = (self.modules.place(self.production, name) for name in settings)
        return next(filter(None, found), "")

    def untracked(self) -> list[str]:
        """Return files that are read at the start, but are not in the package."""
        return [
            name
            for name in self.report["opened"]
            if name not in self.tracked and (self.root / name).exists()
        ]

    def place_of(self, variable: str) -> str:
        """Return file and line that read an environment variable, or ""."""
        read = self.report["variables"].get(variable)
        return f"{read['file']}:{read['line']}" if read and read["file"] else ""


def is_writable(path: str) -> bool:
    """Return whether a function can write to a path. Relative ones are in the code."""
    return path.startswith(("/tmp", "/mnt/"))  # noqa: S108


def find_site(folder: Path) -> Path:
    """Return the nearest folder with a manage.py, from a folder upwards."""
    for candidate in (folder, *folder.parents):
        if (candidate / "manage.py").is_file():
            return candidate
    below = sorted(folder.glob("*/manage.py")) + sorted(folder.glob("*/*/manage.py"))
    where = (
        f"Run it in {below[0].parent}."
        if below
        else "Run it in the folder of your site's manage.py; a new site begins with: "
        "django-admin startproject mysite ."
    )
    raise Refused(f"{folder} has no manage.py, nor has a folder above it. {where}")


def examine(
    root: Path, *, production: str, stand_ins: Mapping[str, str], own: Iterable[str]
) -> Site:
    """
    Examine the site in ``root``, whose files ``own`` adopt has written before.

    ``production`` is the settings module to use, or "" to look for it. Raises Refused
    if Django does not start with it.
    """
    repository = Repository(root)
    tracked = [name for name in repository.tracked() if name not in {*own}]
    try:
        python = find_python(root)
        facts = ask(python, PROBE, root, {"root": str(root)}, {})
    except SiteError as error:
        raise Refused(str(error)) from error
    _check_versions(facts, python)
    modules = find_modules(root, tracked)
    why = "by --production"
    if not production:
        production, why = modules.production()
    if not production:
        raise Refused(
            "It is not clear which settings production uses: "
            f"{', '.join(sorted(modules.settings)) or 'no settings module was found'}. "
            "Name the module: --production mysite.settings"
        )
    _check_place(production, tracked)
    with TemporaryDirectory() as scratch:
        copy = Path(scratch).resolve() / "site"
        copy.mkdir()
        repository.copy(copy)
        for name in own:
            (copy / name).unlink(missing_ok=True)
        try:
            probed = probe(python, copy, root, production, stand_ins)
        except SiteError as error:
            raise Refused(str(error)) from error
        # Paths in the code are relative from here on.
        text = json.dumps(probed.report).replace(f"{copy}/", "")
        probed = replace(probed, report=json.loads(text))
    site = Site(
        repository,
        tuple(tracked),
        python,
        modules,
        production,
        why,
        probed,
        find_lock(root, repository.top(), tracked),
    )
    _check_start(site)
    if not site.lock:
        return site
    return replace(
        site,
        packages=examine_packages(site.lock, site.python, site.python_version),
    )


def _check_versions(facts: Mapping[str, Any], python: Path) -> None:
    version = ".".join(map(str, facts["python"]))
    if tuple(facts["python"]) < PYTHON:
        raise Refused(
            f"{python} is Python {version}, and {DISTRIBUTION} needs "
            f"{'.'.join(map(str, PYTHON))} or later: Lambda's older runtimes are "
            "deprecated. Upgrade Python first."
        )
    if tuple(facts["django"]) < DJANGO:
        raise Refused(
            f"{python} has Django {'.'.join(map(str, facts['django']))}, and "
            f"{DISTRIBUTION} needs {'.'.join(map(str, DJANGO))} or later. Upgrade "
            "Django first: https://docs.djangoproject.com/en/stable/howto/upgrade-version/"
        )


def _check_place(production: str, tracked: Iterable[str]) -> None:
    """Refuse settings that are not where Python looks for them on Lambda."""
    path = production.replace(".", "/")
    places = (f"{path}.py", f"{path}/__init__.py")
    files = {*tracked}
    if files & {*places}:
        return
    for name in sorted(files):
        if name.endswith(tuple(f"/{place}" for place in places)):
            folder = name.partition(f"/{path}")[0]
            raise Refused(
                f"The settings {production} are in {folder}/, and the functions import "
                f"from the folder of manage.py only. Run: git mv manage.py {folder}/ "
                f"&& git commit -m 'Move manage.py', and adopt in {folder}/."
            )


def _check_start(site: Site) -> None:
    module = site.modules.settings.get(site.production)
    if module and module.class_line:
        raise Refused(
            f"{module.path}:{module.class_line}: the settings are a class, of which "
            f"`from {site.production} import *` brings no setting. Write a module that "
            "assigns the settings of production, and name it with --production: "
            "docs/adopt-reference.md#settings-that-are-not-variables"
        )
    error = site.report["error"]
    replaced = site.report.get("settings_object", "")
    if replaced and not replaced.startswith("django."):
        raise Refused(
            f"{replaced} puts an object of its own in the place of "
            "django.conf.settings, so that other settings have no effect. Have "
            f"{site.production} assign its settings as variables: "
            "docs/adopt-reference.md#settings-that-are-not-variables"
        )
    if not error:
        if not site.report["star"]:
            raise Refused(
                f"`from {site.production} import *` brings no INSTALLED_APPS, because "
                f"of its __all__{_at(site.place('INSTALLED_APPS'))}. Remove __all__."
            )
        return
    place = f"{error['file']}:{error['line']}" if error["file"] else ""
    missing = [
        name
        for name, read in site.report["variables"].items()
        if read["missing"] and name in error["text"]
    ]
    missing += [n for n in site.probed.stand_ins if n not in missing]
    advice = (
        f"Give a value for this machine: --stand-in {missing[0]}=..."
        if missing
        else _missing_module(site, error["module"])
        if error["module"]
        else "Fix it, or name other settings: --production mysite.settings"
    )
    if untracked := site.untracked():
        advice += f" It also reads {untracked[0]}, which git does not track."
    raise Refused(
        f"{site.production} does not start ({site.report['stage']}{_at(place)}): "
        f"{error['type']}: {error['message'].rstrip('.')}. {advice}"
    )


def _missing_module(site: Site, name: str) -> str:
    """Return how the site gets a module that it cannot import."""
    path = name.replace(".", "/")
    for file in (f"{path}.py", path):
        if (site.root / file).exists():
            if (site.root / file).is_symlink():
                return (
                    f"{file} is a symbolic link out of the files that git tracks. Move "
                    "what it leads to into the repository, or install it as a package."
                )
            return (
                f"git does not track {file}, and the package has what git tracks. Add "
                "it, or import it only where it exists and read what it has from "
                "environment variables."
            )
    top = name.split(".")[0]
    if top != name and (site.root / top).is_dir():
        return f"The site has no {path}.py: correct the name."
    return f"Install what is missing into {site.python.parents[1]}."


def _at(place: str) -> str:
    return f", {place}" if place else ""
