"""What a check reads from django-on-lambda.toml."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..report import DeployError

FILE = "django-on-lambda.toml"


class CheckError(DeployError):
    """Why a check cannot start or continue, and what to do."""


@dataclass(frozen=True)
class Configuration:
    """
    The site as its configuration describes it.

    ``settings`` is DJANGO_SETTINGS_MODULE on Lambda, ``pages`` are paths that the
    site serves, and ``stand_ins`` are values for the environment variables whose own
    value exists on AWS only.
    """

    settings: str
    pages: tuple[str, ...]
    stand_ins: Mapping[str, str]

    @classmethod
    def read(cls, root: Path) -> "Configuration":
        """Read the file. Raises CheckError if it is missing or cannot be read."""
        path = root / FILE
        try:
            table = tomllib.loads(path.read_text())
        except FileNotFoundError:
            raise CheckError(
                f"{path} does not exist: the site has not been adopted. Run: "
                "django-on-lambda adopt"
            ) from None
        except (ValueError, OSError) as error:
            raise CheckError(f"{path} cannot be read: {error}. Correct it.") from None
        if not isinstance(table.get("settings"), str):
            raise CheckError(
                f"{path} does not name the settings. Add the module that Lambda uses, "
                'for example: settings = "mysite.lambda_settings"'
            )
        return cls(
            settings=table["settings"],
            pages=tuple(table.get("pages", ())),
            stand_ins=table.get("stand-ins", {}),
        )
