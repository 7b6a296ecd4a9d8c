"""Collect the site's static files into the package, where the site will look."""

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import configuration as toml
from ..configuration import Configuration
from ..site import bare_environment, run_program
from . import PackageError

# The folder for a site whose STATIC_ROOT is not in its own folder.
FOLDER = "staticfiles"

ASK = """
import json, os, sys
import django
django.setup()
from django.apps import apps
from django.conf import settings
answer = {"installed": apps.is_installed("django.contrib.staticfiles")}
if answer["installed"]:
    from django.core.files.storage import FileSystemStorage, storages
    from django.utils.module_loading import import_string
    backend = storages.backends.get("staticfiles")
    if not backend:
        sys.exit("STORAGES has no 'staticfiles': add one, as in Django's default.")
    # Not an instance: one with a manifest cannot be made without STATIC_ROOT.
    kind = import_string(backend["BACKEND"])
    root = backend.get("OPTIONS", {}).get("location") or settings.STATIC_ROOT
    folders = [f[1] if isinstance(f, (list, tuple)) else f
               for f in settings.STATICFILES_DIRS]
    answer |= {
        "local": not isinstance(kind, type) or issubclass(kind, FileSystemStorage),
        "storage": kind.__name__,
        "root": os.path.abspath(root) if root else "",
        "url": str(settings.STATIC_URL or ""),
        "folders": [os.path.abspath(folder) for folder in folders],
    }
with open(sys.argv[1], "w") as file:
    json.dump(answer, file)
"""


@dataclass(frozen=True)
class Static:
    """
    Where the static files are.

    ``folder`` is relative to the package, or "" if they are not in it, for the reason
    in ``note``; ``url`` is STATIC_URL.
    """

    folder: str = ""
    url: str = ""
    note: str = ""


def collect_static(
    root: Path, target: Path, configuration: Configuration, python: Path
) -> Static:
    """
    Run `collectstatic` on the copied code with the site's interpreter.

    It writes where the same settings will look on Lambda: into STATIC_ROOT if that is
    in the package, otherwise into LAMBDA_STATIC_ROOT, for settings that read it. The
    environment has stand-ins and no secret. Raises PackageError with the end of its
    output, and for a folder of static files that is not in the package.
    """
    target = target.resolve()
    variables = environment(configuration)
    answer = ask(target, variables, python, ASK)
    if not answer["installed"]:
        return Static(note="django.contrib.staticfiles is not in INSTALLED_APPS")
    if not answer["local"]:
        return Static(
            note=f"{answer['storage']} keeps the static files elsewhere: run "
            "collectstatic when you release"
        )
    if not is_inside(answer["root"], target):
        configured = answer["root"]
        variables["LAMBDA_STATIC_ROOT"] = str(target / FOLDER)
        answer = ask(target, variables, python, ASK)
        if not is_inside(answer["root"], target):
            raise PackageError(
                f"STATIC_ROOT of {configuration.settings} is {configured or 'not set'}"
                f", and the package has no such folder. Set it to a folder of the "
                f'project: STATIC_ROOT = BASE_DIR / "{FOLDER}"'
            )
    check_folders(root, target, answer["folders"])
    run(target, variables, python, "-m", "django", "collectstatic", "--no-input")
    folder = Path(answer["root"]).resolve().relative_to(target)
    return Static(folder.as_posix(), answer["url"])


def environment(configuration: Configuration) -> dict[str, str]:
    """Return the variables of a command that runs the site without its secrets."""
    return {
        **bare_environment(),
        **configuration.stand_ins,
        "DJANGO_SETTINGS_MODULE": configuration.settings,
    }


def ask(
    target: Path, variables: dict[str, str], python: Path, program: str
) -> dict[str, Any]:
    """Return the JSON that a program with the site's settings writes into a file."""
    # Not on standard output, to which settings may print.
    with tempfile.NamedTemporaryFile("r") as file:
        run(target, variables, python, "-c", program, file.name)
        answer: dict[str, Any] = json.load(file)
    return answer


def is_inside(folder: str, target: Path) -> bool:
    path = Path(folder).resolve()
    return bool(folder) and path != target and path.is_relative_to(target)


def check_folders(root: Path, target: Path, folders: list[str]) -> None:
    """Raise PackageError for a folder of STATICFILES_DIRS that was not packaged."""
    for folder in folders:
        path = Path(folder).resolve()
        if path.is_dir() or not path.is_relative_to(target):
            continue
        name = path.relative_to(target)
        if (root / name).is_dir():
            raise PackageError(
                f"STATICFILES_DIRS has {root / name}, which is not in the package. Add "
                f'"{name}" to `code` in {toml.FILE}, or to `files` if git ignores it, '
                "for example because a program writes it."
            )


def run(target: Path, variables: dict[str, str], python: Path, *command: str) -> None:
    status, output = run_program([python, "-B", *command], target, variables)
    if status:
        lines = output.splitlines()
        raise PackageError(
            "collectstatic failed:\n" + "\n".join(lines[-15:]) + "\nIt runs in a copy "
            "of the package. A missing file must be in `code` or `files`, a variable "
            f"in [stand-ins] of {toml.FILE}."
        )
