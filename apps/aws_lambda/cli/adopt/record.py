"""
What adopt wrote: to repeat it, to merge a newer version, and to take it back.

The record is a file of the site, so that each clone has it. It keeps the texts as they
were written: with them, the site's text and the new one, git merges three ways.
"""

import json
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from difflib import unified_diff
from pathlib import Path
from typing import Any

from .plan import IGNORED, Answers

RECORD = ".django-on-lambda.json"
NOTE = (
    "What `django-on-lambda adopt` wrote, for its --diff and --undo. Commit this file."
)
IGNORE_FILE = ".gitignore"
BEGIN = "# django-on-lambda: begin"
END = "# django-on-lambda: end"
BLOCK = f"{BEGIN}\n{IGNORED}{END}\n"


@dataclass(frozen=True)
class Record:
    """
    What was written before: the texts by path, and the answers behind them.

    ``made_ignore_file`` is whether the site had no .gitignore.
    """

    answers: Answers
    files: Mapping[str, str]
    made_ignore_file: bool = False

    def text(self) -> str:
        """Return the text of the record's file."""
        table = {
            "note": NOTE,
            "answers": asdict(self.answers),
            "made_ignore_file": self.made_ignore_file,
            # As lines, which git compares and people read.
            "files": {n: t.split("\n") for n, t in sorted(self.files.items())},
        }
        return json.dumps(table, indent=2, ensure_ascii=False) + "\n"


def read_record(root: Path) -> Record | None:
    """
    Return the record of a site, or None if it has none.

    Raises ValueError with what to do if it cannot be read.
    """
    path = root / RECORD
    if not path.is_file():
        return None
    try:
        table: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        files = {name: "\n".join(lines) for name, lines in table["files"].items()}
        return Record(Answers(**table["answers"]), files, table["made_ignore_file"])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} cannot be read ({type(error).__name__}: {error}). Restore it: "
            f"git checkout -- {RECORD}"
        ) from error


@dataclass
class Changes:
    """
    Changes of a site's files, which are not made yet.

    ``texts`` are new texts by path, None for a file to delete. ``conflicts`` are
    files with conflict markers, ``kept`` files with changes of the site that stay
    as they are, each with the reason, and ``foreign`` existing files that adopt did
    not write.
    """

    root: Path
    texts: dict[str, str | None] = field(default_factory=dict)
    conflicts: list[str] = field(default_factory=list)
    kept: dict[str, str] = field(default_factory=dict)
    foreign: list[str] = field(default_factory=list)

    def set(self, name: str, text: str | None) -> None:
        """Add a change, unless the file is like this already."""
        if read(self.root / name) != text:
            self.texts[name] = text

    def diff(self) -> str:
        """Return the changes as a unified diff, without the record."""
        parts: list[str] = []
        for name, text in self.texts.items():
            if name == RECORD:
                continue
            current = read(self.root / name)
            parts += unified_diff(
                (current or "").splitlines(keepends=True),
                (text or "").splitlines(keepends=True),
                "/dev/null" if current is None else f"a/{name}",
                "/dev/null" if text is None else f"b/{name}",
            )
        text = "".join(part if part.endswith("\n") else f"{part}\n" for part in parts)
        return encode(text).decode(errors="replace")

    def make(self) -> None:
        """
        Make them all, or none.

        Raises ValueError with what to do if a file cannot be written.
        """
        before = {name: read(self.root / name) for name in self.texts}
        made: list[str] = []
        try:
            for name, text in self.texts.items():
                made.append(name)
                write(self.root / name, text)
        except BaseException as error:
            for name in reversed(made):
                with suppress(OSError):
                    write(self.root / name, before[name])
            if not isinstance(error, OSError):
                raise
            raise ValueError(
                f"{self.root / made[-1]} cannot be written: {error.strerror}. Nothing "
                "was changed. Correct it, and run the command again."
            ) from error


def read(path: Path) -> str | None:
    """Return the text of a file with its line ends, or None if it does not exist."""
    if not path.is_file():
        return None
    return path.read_bytes().decode(errors="surrogateescape")


def write(path: Path, text: str | None) -> None:
    """Write a text that `read` returned, or remove the file. Raises OSError."""
    if text is None:
        path.unlink(missing_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode(text))


def encode(text: str) -> bytes:
    """Return the bytes of a text, which need not be UTF-8."""
    return text.encode(errors="surrogateescape")


def changes(root: Path, new: Record, old: Record | None) -> Changes:
    """
    Return what changes the site's files from the old record's texts to the new ones.

    What the site changed in them meanwhile is merged, and a file that it deleted
    stays deleted.
    """
    result = Changes(root)
    before = old.files if old else {}
    for name, text in new.files.items():
        current, base = read(root / name), before.get(name)
        if current is None and base is None:
            result.set(name, text)
        elif current is None:
            result.kept[name] = "was deleted"
        elif base is None:
            if current != text:
                result.foreign.append(name)
        elif text != base and current != text:
            merged, conflicts = merge(current, base, text)
            result.set(name, merged)
            if conflicts:
                result.conflicts.append(name)
        elif current != base:
            result.kept[name] = "was edited"
    for name in before.keys() - new.files.keys():
        _delete(result, name, before[name])
    result.set(IGNORE_FILE, with_block(read(root / IGNORE_FILE)))
    result.set(RECORD, new.text())
    return result


def undo(root: Path, record: Record, *, edited: bool) -> Changes:
    """
    Return what takes back all that was written.

    Files with changes of the site are kept, unless ``edited`` is true.
    """
    result = Changes(root)
    for name, text in record.files.items():
        _delete(result, name, read(root / name) if edited else text)
    ignored = without_block(read(root / IGNORE_FILE))
    result.set(
        IGNORE_FILE, None if record.made_ignore_file and not ignored else ignored
    )
    result.set(RECORD, None)
    return result


def _delete(result: Changes, name: str, base: str | None) -> None:
    current = read(result.root / name)
    if current == base:
        result.set(name, None)
    elif current is not None:
        result.kept[name] = "was edited"


def merge(current: str, base: str, new: str) -> tuple[str, int]:
    """Merge the site's changes and the new text; return it with its conflicts."""
    with tempfile.TemporaryDirectory() as scratch:
        paths = [Path(scratch, name) for name in ("current", "base", "new")]
        for path, text in zip(paths, (current, base, new), strict=True):
            path.write_bytes(encode(text))
        labels = ("yours", "written before", "adopt")
        names = [part for label in labels for part in ("-L", label)]
        process = subprocess.run(
            ["git", "merge-file", "-p", *names, *paths],  # noqa: S607
            capture_output=True,
            check=False,
        )
        if process.returncode < 0 or process.returncode > 127:
            raise ValueError(f"git merge-file failed: {process.stderr.decode()}")
        return process.stdout.decode(errors="surrogateescape"), process.returncode


def with_block(text: str | None) -> str:
    """
    Return the text of .gitignore with adopt's block.

    It is the first: patterns of the site come later, and win.
    """
    if text and BLOCK in text.replace("\r\n", "\n"):
        return text
    return BLOCK + (without_block(text) or "")


def without_block(text: str | None) -> str | None:
    """Return the text of .gitignore without adopt's block."""
    if text is None or BEGIN not in text or END not in text:
        return text
    before, _, rest = text.partition(BEGIN)
    return before + rest.partition(END)[2].removeprefix("\r").removeprefix("\n")
