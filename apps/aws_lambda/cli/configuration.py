"""What a site says about itself to the commands: django-on-lambda.toml at its root."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from . import ROOT
from .report import DeployError

FILE = "django-on-lambda.toml"
# What Lambda's Python runtimes have, and only AWS' own packages use. They have
# python-dateutil, six and urllib3 too, which other packages use in the version of the
# lock file.
# https://docs.aws.amazon.com/lambda/latest/dg/python-package.html
PROVIDED = frozenset(
    {
        "awslambdaric",
        "boto3",
        "botocore",
        "jmespath",
        "s3transfer",
        "snapshot-restore-py",
    }
)
# The types of the keys, as a sentence and as an example.
EXAMPLES = {
    "settings": 'a string, "mysite.lambda_settings"',
    "lock": 'a string, "uv.lock"',
    "code": 'a list of strings, ["mysite", "lambda_entry.py"]',
    "files": 'a list of strings, ["rds.pem"]',
    "keep": 'a list of strings, ["*/locale"]',
    "leave-out": 'a list of strings, ["mysite/tests"]',
    "provided": 'a list of strings, ["boto3", "botocore"]',
    "pages": 'a list of paths, ["/", "/admin/login/"]',
    "stand-ins": 'a table of strings, SECRET_KEY = "..." below [stand-ins]',
}
REQUIRED = ("settings", "lock", "code")
# What a page of a running site may return: it is there, or it asks for a login.
HEALTHY = {*range(200, 400), 401, 403}


# What starts a program of the site's environment, by its lock file.
RUN = {
    "uv.lock": "uv run ",
    "poetry.lock": "poetry run ",
    "Pipfile.lock": "pipenv run ",
}


class ConfigurationError(DeployError):
    """What is wrong in django-on-lambda.toml, and what to write."""


@dataclass(frozen=True)
class Configuration:
    """
    The content of django-on-lambda.toml.

    ``settings`` is the DJANGO_SETTINGS_MODULE on Lambda, and ``lock`` the file with
    the site's dependencies. ``code`` are files and folders, of which the package has
    what git tracks; ``files`` are packaged as they are. ``leave_out`` and ``keep`` are
    patterns of paths in the package that are removed, and that are not removed by
    default, and ``provided`` distributions that Lambda's runtime has.
    ``pages`` are paths that a check of the site requests. ``stand_ins`` are values
    for environment variables whose value exists only on AWS.
    """

    settings: str
    lock: str
    code: tuple[str, ...]
    files: tuple[str, ...] = ()
    leave_out: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    provided: frozenset[str] = PROVIDED
    pages: tuple[str, ...] = ()
    stand_ins: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, root: Path = ROOT) -> "Configuration":
        """
        Read the file at the root of a site.

        Raises ConfigurationError if it is missing, or has an unknown key, a missing
        one, or a value of another type. Values of stand-ins are not in the message.
        """
        path = root / FILE
        try:
            table = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            below = sorted(root.glob(f"*/{FILE}"))
            raise ConfigurationError(
                f"{path} does not exist. It names the site's settings and code: "
                + (
                    f"run the command in {below[0].parent}, which has one."
                    if below
                    else "run django-on-lambda adopt, or see docs/package.md."
                )
            ) from None
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"{path} cannot be read: {error}.") from None
        if unknown := sorted(set(table) - set(EXAMPLES)):
            raise ConfigurationError(
                f"{path}: unknown key {', '.join(unknown)}. "
                f"Use {', '.join(sorted(EXAMPLES))}."
            )
        for key, value in table.items():
            check(path, key, value)
        if missing := [key for key in REQUIRED if not table.get(key)]:
            raise ConfigurationError(
                f"{path}: `{missing[0]}` is missing. It is {EXAMPLES[missing[0]]}."
            )
        lists = {
            key.replace("-", "_"): tuple(table[key])
            for key in ("code", "files", "keep", "leave-out", "pages")
            if key in table
        }
        return cls(
            settings=table["settings"],
            lock=table["lock"],
            provided=frozenset(table.get("provided", PROVIDED)),
            stand_ins=table.get("stand-ins", {}),
            **lists,
        )

    @property
    def program(self) -> str:
        """Return the command line that starts these commands: "uv run ..."."""
        return f"{RUN.get(Path(self.lock).name, '')}django-on-lambda"

    @property
    def requested(self) -> tuple[str, ...]:
        """Return the pages to request; the first one shows the site's health."""
        return self.pages or ("/",)

    def is_healthy(self, status: int) -> bool:
        """
        Return whether a page that returns this status is served.

        404 is not healthy for a page that the file names. Unless it names any, "/" is
        requested, which a site may not have.
        """
        return status in HEALTHY or (status == 404 and not self.pages)


def check(path: Path, key: str, value: Any) -> None:
    """Raise ConfigurationError unless a value has the type of its key."""
    wrong = ""
    match key:
        case "settings" | "lock":
            if not isinstance(value, str):
                wrong = f"`{key}` is {value!r}"
        case "stand-ins":
            if not isinstance(value, dict):
                wrong = f"`{key}` is {value!r}"
            else:
                # Not its value: it may be a secret.
                wrong = next(
                    (
                        f"`{name}` in [stand-ins] is of type {type(text).__name__}"
                        for name, text in value.items()
                        if not isinstance(text, str)
                    ),
                    "",
                )
        case _:
            if not isinstance(value, list) or not all(
                isinstance(entry, str) and entry for entry in value
            ):
                wrong = f"`{key}` is {value!r}"
            elif key == "pages":
                wrong = next(
                    (
                        f"`pages` has {page!r}, which does not start with /"
                        for page in value
                        if not page.startswith("/")
                    ),
                    "",
                )
    # The lock file may be above, as in a project whose site is in src/.
    if not wrong and key == "lock" and PurePosixPath(value).is_absolute():
        wrong = f"`lock` is {value!r}, which is not relative to the site's folder"
    if not wrong and key in ("code", "files"):
        for name in value:
            if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
                wrong = f"`{key}` has {name!r}, which is outside of the site's folder"
    if wrong:
        raise ConfigurationError(f"{path}: {wrong}. It is {EXAMPLES[key]}.")
