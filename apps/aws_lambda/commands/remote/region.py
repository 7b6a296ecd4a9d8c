"""
The region of a stage, and where it comes from: one rule for all commands.

The first of: the option --region; what provider.region in serverless.yml names, in its
order (by default AWS_REGION, AWS_DEFAULT_REGION, then a region of its own); these two
variables; the AWS profile.
"""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Self

VARIABLES = ("AWS_REGION", "AWS_DEFAULT_REGION")
FILE = "serverless.yml"
PROVIDER = re.compile(r"^provider:.*\n((?:[ \t#].*\n|\n)*)", re.M)
KEY = re.compile(r"^([ \t]+)(\w+):[ \t]*(.*?)[ \t]*(?:[ \t]#.*)?$", re.M)
# A source in ${opt:region, env:AWS_REGION, 'eu-central-1'}.
SOURCE = re.compile(r"(?P<option>opt:region)|env:(?P<variable>\w+)|(['\"])(.+)\3")
# What to write where a command needs a region that is not known here.
PLACEHOLDER = "ANOTHER-REGION"


class Region(NamedTuple):
    """
    A region, its source, such as "AWS_REGION", and what other sources name.

    ``others`` are pairs of another region and its source.
    """

    name: str
    source: str
    others: tuple[tuple[str, str], ...] = ()

    @property
    def another(self) -> str:
        """Return the region to ask next, or a placeholder for it."""
        return self.others[0][0] if self.others else PLACEHOLDER

    def origin(self) -> str:
        """Return a sentence: where the region comes from, and what others there are."""
        found = [f"{source} has {name}" for name, source in self.others]
        return f"{self.name} is from {'; '.join([self.source, *found])}."

    def named(self, name: str) -> Self:
        """Return the region that serverless.yml has if this is not its ``name``."""
        if name == self.name:
            return self
        found = [(self.name, self.source), *self.others] if self.name else self.others
        others = tuple(other for other in found if other[0] != name)
        return type(self)(name, FILE, others)


def find_region(
    option: str = "", profile: str = "", folder: Path | None = None
) -> Region:
    """
    Return the region to ask; its name is "" if no source has one.

    ``option`` and ``profile`` are those of the command line. serverless.yml is in
    ``folder``, by default the nearest one upwards.
    """
    found = [pair for pair in _candidates(option, profile, folder) if pair[0]]
    if not found:
        return Region("", "")
    name, source = found[0]
    others: dict[str, str] = {}
    for other, place in found[1:]:
        if other != name:
            others.setdefault(other, place)
    return Region(name, source, tuple(others.items()))


def _candidates(
    option: str, profile: str, folder: Path | None
) -> Iterator[tuple[str, str]]:
    yield option, "--region"
    for source in _configured(folder):
        match = SOURCE.fullmatch(source)
        if match and match["variable"]:
            yield os.environ.get(match["variable"], ""), match["variable"]
        elif match and not match["option"]:
            yield match[4], FILE
    for variable in VARIABLES:
        yield os.environ.get(variable, ""), variable
    yield _of_profile(profile)


def _configured(folder: Path | None) -> list[str]:
    """Return the sources in serverless.yml, none if it has others than these."""
    here = Path.cwd()
    folders = [folder] if folder else [here, *here.parents]
    path = next((f / FILE for f in folders if (f / FILE).is_file()), None)
    text = ""
    if path:
        with suppress(OSError):
            text = path.read_text(errors="replace")
    block = PROVIDER.search(f"{text}\n")
    keys = KEY.findall(block[1]) if block else []
    # Not a key of a table inside.
    value = next((v for i, k, v in keys if k == "region" and i == keys[0][0]), "")
    if not value.startswith("${"):
        return [f"'{value.strip('"\'')}'"] if value and "$" not in value else []
    sources = [part.strip() for part in value[2:].removesuffix("}").split(",")]
    return sources if all(map(SOURCE.fullmatch, sources)) else []


def _of_profile(
    profile: str, environ: Mapping[str, str] = os.environ
) -> tuple[str, str]:
    try:
        from botocore.exceptions import BotoCoreError
        from botocore.session import Session
    except ImportError:
        return "", ""
    session = Session(profile=profile or None)
    name = session.profile or "default"
    try:
        return session.get_scoped_config().get("region", ""), f"the profile {name}"
    except BotoCoreError:
        # There is no such profile, or its file cannot be read.
        return "", ""
