"""Which settings module the functions run with, as the files of the site say."""

import re
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

CONFIGURATION, ENTRY = "django-on-lambda.toml", "lambda_entry.py"
# os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.lambda_settings")
NAMED = re.compile(r"""DJANGO_SETTINGS_MODULE['"]\]?\s*(?:,|=)\s*['"]([\w.]+)['"]""")


class Named(NamedTuple):
    """A settings module, and the name of the file that names it."""

    module: str
    file: str


def settings_module() -> Named | None:
    """
    Return the settings module of the functions, or None if no file names it.

    django-on-lambda.toml is next to manage.py, and so is lambda_entry.py. Raises
    tomllib.TOMLDecodeError if the first is not TOML.
    """
    program = Path(sys.argv[0])
    folder = program.resolve().parent if program.name == "manage.py" else Path.cwd()
    if (file := folder / CONFIGURATION).is_file():
        module = tomllib.loads(file.read_text()).get("settings")
        if isinstance(module, str):
            return Named(module, CONFIGURATION)
    if (file := folder / ENTRY).is_file() and (found := NAMED.search(file.read_text())):
        return Named(found[1], ENTRY)
    return None
