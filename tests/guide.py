"""The blocks of a page in docs/, for the tests that follow it."""

import re
from collections.abc import Iterator
from typing import NamedTuple


class Block(NamedTuple):
    """A block of a page, below its section's heading."""

    section: str
    language: str
    text: str


class Command(NamedTuple):
    """A command line, and the output that the page shows for it."""

    line: str
    output: str


def blocks(page: str) -> Iterator[Block]:
    """Yield the blocks of a page in order."""
    section = ""
    for heading, language, text in re.findall(
        r"^## ([^\n]+)$|^```(\w+)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL
    ):
        section = heading or section
        if language:
            yield Block(section, language, text)


def commands(block: Block) -> Iterator[Command]:
    """Yield the commands of a console block."""
    assert block.text.startswith("$ ")
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        line, _, output = part.partition("\n")
        yield Command(line, output)


def pattern(output: str) -> str:
    """Return the regex of the output in a page, in which `...` is any text."""
    # What the reader types is not printed.
    shown = output.replace("[y/N] y\n", "[y/N] ").strip()
    return re.escape(shown).replace(r"\.\.\.", ".*").replace("\\\n", r"\s+")
