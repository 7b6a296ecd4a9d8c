"""
The plugins and the CloudFormation resources of a site: a copy in `.django-on-lambda`.

The Serverless CLI reads files below the site's folder, and the package may be
installed anywhere. Each command brings the copy up to date, so that an upgrade of the
package upgrades the deployment. A site's serverless.yml names the folder, which git
ignores; this repository names its own folders, and has no copy.
"""

import fcntl
import json
import os
from hashlib import sha256
from importlib import metadata
from pathlib import Path

FOLDER = ".django-on-lambda"
SOURCE = Path(__file__).with_name("serverless")
# Templates of files that a site gets once.
TEMPLATES = "site"
# Which package the copy is of: the plugins read it.
ORIGIN = "origin.json"


def version() -> str:
    """Return the version of the package, or "" of a copy that was not installed."""
    try:
        return metadata.version("django-on-lambda")
    except metadata.PackageNotFoundError:
        return ""


def refresh(root: Path) -> bool:
    """
    Bring the copy of a site up to date, and return whether that changed it.

    Each file is replaced at once. origin.json is removed first and written last, so
    that the next command completes an interrupted copy. Does nothing if the
    serverless.yml in ``root`` does not name the folder. Raises OSError.
    """
    if not _is_named(root / "serverless.yml"):
        return False
    target = root / FOLDER
    files = _files()
    origin = _origin(files)
    target.mkdir(exist_ok=True)
    with (target / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (target / ORIGIN).is_file() and (target / ORIGIN).read_bytes() == origin:
            return False
        (target / ORIGIN).unlink(missing_ok=True)
        kept = {*files, ".lock", ORIGIN}
        for path in [p for p in target.rglob("*") if p.is_file()]:
            if path.relative_to(target).as_posix() not in kept:
                path.unlink()
        for name, content in files.items():
            _replace(target / name, content)
        _replace(target / ORIGIN, origin)
    return True


def _is_named(configuration: Path) -> bool:
    try:
        return f"{FOLDER}/" in configuration.read_text(errors="replace")
    except OSError:
        return False


def _files() -> dict[str, bytes]:
    paths = {path.relative_to(SOURCE): path for path in sorted(SOURCE.rglob("*"))}
    return {
        name.as_posix(): path.read_bytes()
        for name, path in paths.items()
        if path.is_file() and name.parts[0] != TEMPLATES and path.suffix != ".pyc"
    }


def _origin(files: dict[str, bytes]) -> bytes:
    digest = sha256()
    for name, content in files.items():
        digest.update(f"{name} {len(content)}\n".encode() + content)
    facts = {
        "module": __package__,
        "version": version(),
        "digest": digest.hexdigest()[:16],
    }
    return json.dumps(facts, indent=2).encode() + b"\n"


def _replace(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(content)
    os.replace(part, path)
