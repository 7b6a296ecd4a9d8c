"""Leave out what no request reads: other languages, and tests of packages."""

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..configuration import Configuration
from .dependencies import is_kept, matching, recorded, remove
from .static import ask, environment
from .tests_of_packages import unused_tests

# Django's domains. Other libraries choose a language without Django's settings.
CATALOGUES = ("LC_MESSAGES/django.mo", "LC_MESSAGES/djangojs.mo")

# Wagtail's admin offers its own list of languages, unless a setting limits it.
ASK = """
import json, sys
import django
django.setup()
from django.apps import apps
from django.conf import settings
languages = []
if not settings.USE_I18N:
    languages = [settings.LANGUAGE_CODE]
elif settings.is_overridden("LANGUAGES"):
    admin = getattr(settings, "WAGTAILADMIN_PERMITTED_LANGUAGES", None)
    if admin or not apps.is_installed("wagtail.admin"):
        languages = [str(code) for code, _ in [*settings.LANGUAGES, *(admin or [])]]
        languages.append(settings.LANGUAGE_CODE)
with open(sys.argv[1], "w") as file:
    json.dump({"languages": languages, "modules": sorted(sys.modules)}, file)
"""


@dataclass(frozen=True)
class Used:
    """
    What a site uses of its packages.

    ``languages`` are codes such as "pt-br", and empty if it may be any. ``modules`` are
    the names of the modules that its apps import.
    """

    languages: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()


def find_used(target: Path, configuration: Configuration, python: Path) -> Used:
    """Load the copied site with its own interpreter. Raises PackageError."""
    answer = ask(target, environment(configuration), python, ASK)
    return Used(tuple(answer["languages"]), tuple(answer["modules"]))


def remove_unused(target: Path, used: Used, keep: Iterable[str]) -> list[str]:
    """
    Remove unused folders of installed packages, and return what was removed.

    ``keep`` are patterns of paths that stay. The site's own files stay, too.
    """
    files = set(recorded(target))
    kept = matching(target, keep)
    removed = []
    if folders := delete(other_languages(target, files, used.languages), kept):
        number = len({folder.name for folder in folders})
        languages = ", ".join(sorted(set(used.languages)))
        removed.append(f"translations of packages, but {languages}: {number} languages")
    if folders := delete(unused_tests(target, files, used.modules), kept):
        names = ", ".join(str(folder.relative_to(target)) for folder in folders)
        removed.append(f"tests of packages: {names}")
    return removed


def delete(folders: Iterable[Path], kept: Collection[Path]) -> list[Path]:
    """Remove folders of which nothing is kept, and return them."""
    removed = [folder for folder in folders if not is_kept(folder, kept)]
    for folder in removed:
        remove(folder)
    return removed


def other_languages(
    target: Path, files: Collection[PurePosixPath], languages: Collection[str]
) -> Iterator[Path]:
    """
    Yield the folders of translations that Django reads for no language of the site.

    Related languages stay, because one falls back to another ("pt-br" to "pt", "zh-hk"
    to "zh_Hant"), and English, of which the texts in the code are.
    """
    if not languages:
        return
    related = {"en", *map(language, languages)}
    folders = {
        name.parents[1]
        for name in files
        if name.as_posix().endswith(CATALOGUES) and name.parts[-4:-3] == ("locale",)
    }
    for folder in sorted(folders):
        if language(folder.name) not in related:
            yield target / folder


def language(code: str) -> str:
    """Return the language of a code or a locale: "pt" of "pt-br" and "pt_BR"."""
    return re.split(r"[-_@]", code.lower())[0]
