"""Find out which of the site's packages Lambda cannot have, and how large they are."""

from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import shorten

from ..package import PackageError
from ..package.dependencies import NoWheelError, install
from ..package.locks import LockError
from ..package.platform import Platform
from .locks import (
    ARCHITECTURE,
    DISTRIBUTION,
    NOT_NEEDED,
    Lock,
    WheelError,
    lines,
    name_of,
    pinned,
    without_wheels,
)
from .size import LONGEST, Size, size


@dataclass(frozen=True)
class Packages:
    """
    The packages of production.

    ``servers`` are those that Lambda replaces, ``built`` those that have no wheel for
    Lambda and are pure Python, and ``impossible`` the others without a wheel.
    ``error`` is why they are not known, or "", and ``refused`` why the lock file cannot
    be used.
    """

    servers: tuple[str, ...] = ()
    built: tuple[str, ...] = ()
    impossible: tuple[str, ...] = ()
    size: Size = field(default_factory=lambda: Size(Counter()))
    error: str = ""
    refused: str = ""


def examine_packages(lock: Lock, python: Path, version: str) -> Packages:
    """
    Return what is known about the packages of a lock file.

    ``python`` is the site's interpreter, and ``version`` Lambda's. A package without a
    wheel is built in a scratch folder, because only that shows whether it compiles
    anything.
    """
    try:
        found = pinned(lock, python, version)
    except LockError as error:
        return Packages(refused=str(error))
    except PackageError as error:
        return Packages(error=shorten(str(error), LONGEST))
    platform = Platform(ARCHITECTURE, version)
    others = tuple(one for one in found.requirements if one.name != DISTRIBUTION)
    missing: set[str] = set()
    problem = ""
    try:
        wanted = lines(replace(found, requirements=others))
        missing = {name_of(line) for line in without_wheels(wanted, version)}
    except WheelError as why:
        problem = str(why)
    built, impossible = [], []
    for one in others:
        if one.name not in missing or one.name in NOT_NEEDED:
            continue
        alone = replace(found, requirements=(one,))
        try:
            with TemporaryDirectory() as scratch:
                install(alone, platform, python, Path(scratch), lock.root)
            built.append(one.name)
        except NoWheelError:
            impossible.append(one.name)
        except PackageError as why:
            problem = shorten(str(why), LONGEST)
    packaged = tuple(
        one
        for one in found.requirements
        if one.name not in missing or one.name in built
    )
    return Packages(
        servers=tuple(sorted(missing & {*NOT_NEEDED})),
        built=tuple(built),
        impossible=tuple(impossible),
        size=size(replace(found, requirements=packaged), platform, python, lock.root),
        error=problem,
    )
