"""Build the site's package with each adapter, as its users would."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from platform import machine

from apps.aws_lambda.bundle import FILE as BUNDLE
from apps.aws_lambda.cli import ROOT
from apps.aws_lambda.cli.package import runtime
from apps.aws_lambda.cli.package.archive import extract
from apps.aws_lambda.cli.package.platform import find_uv

from .variants import NONE, OURS, SITE, VALID, Adapter, Variant

BENCHMARKS = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements" / "peers.txt"
# 1980-01-01, the first time that an archive can have.
ARCHIVE_TIME = 315_532_800
ITEM = """

class Item{n:04}(models.Model):
    name = models.CharField(max_length=100)
    text = models.TextField(blank=True)
    price = models.DecimalField(max_digits=10, decimal_places=2)
    created = models.DateTimeField(auto_now_add=True)
    category = models.ForeignKey("shop.Category", models.CASCADE)

    def __str__(self) -> str:
        return self.name
"""
VIEW = """

def item{n:04}(request: HttpRequest, pk: int, slug: str) -> HttpResponse:
    return HttpResponse(get_object_or_404(models.Item{n:04}, pk=pk, name=slug))
"""
VIEWS = """\
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404

from . import models
"""
URLS = "from django.urls import path\n\nfrom . import views\n\nurlpatterns = [\n"
URL = '    path("{n:04}/<int:pk>/<slug:slug>/", views.item{n:04}),\n'

SEED = """
import django
django.setup()
from django.core.management import call_command
from shop.models import Category, Product
call_command("migrate", run_syncdb=True, verbosity=0)
category = Category.objects.create(name="Lamps")
Product.objects.bulk_create(
    Product(name=f"Lamp {n}", price=n, stock=n, category=category) for n in range(40)
)
"""


class BuildError(Exception):
    """A package was not built: the command, and what it printed."""


def run(
    command: Iterable[str | Path],
    cwd: Path = ROOT,
    variables: Mapping[str, str] | None = None,
) -> str:
    """Return what a command prints. Raises BuildError if it fails."""
    arguments = [str(argument) for argument in command]
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("DJANGO_", "PYTHON", "VIRTUAL_ENV"))
    }
    process = subprocess.run(
        arguments,
        cwd=cwd,
        env=environment | dict(variables or {}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if process.returncode:
        end = "\n".join(process.stdout.splitlines()[-15:])
        raise BuildError(f"{' '.join(arguments[:6])} failed:\n{end}")
    return process.stdout


def write_site(folder: Path, variant: Variant) -> None:
    """
    Write the site's code with the entry of an adapter.

    It has ``items`` more models, each with a view and a URL before the requested ones,
    and ``static_files`` more files when they are collected.
    """
    shutil.copytree(
        BENCHMARKS / "site",
        folder,
        ignore=shutil.ignore_patterns("entries", "__pycache__"),
        dirs_exist_ok=True,
    )
    for name in variant.adapter.files:
        shutil.copy(BENCHMARKS / "site" / "entries" / name, folder)
    grown, numbers = folder / "grown", range(1, variant.items + 1)
    models = "".join(ITEM.format(n=n) for n in numbers)
    (grown / "models.py").write_text(f"from django.db import models\n{models}")
    (grown / "views.py").write_text(VIEWS + "".join(VIEW.format(n=n) for n in numbers))
    urls = "".join(URL.format(n=n) for n in numbers)
    (grown / "urls.py").write_text(f"{URLS}{urls}]\n")
    # Each is collected with its hash in a second name, and both compressed.
    for n in range(variant.static_files // 4):
        path = grown / "static" / "grown" / f"{n:04}.css"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f".item-{n} {{ color: #123456; margin: 0 0 0 0 }}\n" * 8)


def pip_install(target: Path, requirements: Iterable[str]) -> None:
    """Install requirements in the versions and with the hashes of peers.txt."""
    command = [*find_uv(), "pip", "install", "--quiet", "--verify-hashes"]
    command += ["--constraint", str(LOCK), "--only-binary", ":all:"]
    # It has no wheel, and Zappa requires it.
    command += ["--no-binary", "placebo"]
    command += ["--python", sys.executable, "--link-mode", "copy"]
    run([*command, "--target", str(target), *requirements])


class Builder:
    """Build packages in a folder, and install the packages of each adapter once."""

    def __init__(self, work: Path) -> None:
        self.work = work

    def build(self, variant: Variant) -> Path:
        """Return the folder of a variant's package. Raises BuildError."""
        key = (variant.adapter.name, variant.bytecode, variant.bundle, variant.items)
        name = "-".join(map(str, (*key, variant.static_files)))
        root = self.work / "packages" / name / "task"
        if not root.exists():
            root.parent.mkdir(parents=True)
            of_adapter = (
                self._build_ours if variant.adapter is OURS else self._build_peer
            )
            of_adapter(root, variant)
        return root

    def sizes(self, variants: Iterable[Variant]) -> dict[str, dict[str, float]]:
        """Return the megabytes of packages, as a zip archive and unzipped."""
        found = {}
        for variant in variants:
            root = self.build(variant)
            archive = root.parent / "package.zip"
            if not archive.exists():
                zipped(root, archive)
            paths = (path for path in root.rglob("*") if path.is_file())
            found[variant.name] = {
                "zip": archive.stat().st_size / 1e6,
                "unzipped": sum(path.stat().st_size for path in paths) / 1e6,
            }
        return found

    def _build_ours(self, root: Path, variant: Variant) -> None:
        """Build with `django-on-lambda package`, and unpack the archive."""
        site = root.parent / "site"
        write_site(site, variant)
        # As the wheel has it.
        shutil.copytree(
            ROOT / "apps" / "aws_lambda",
            site / "django_on_lambda",
            ignore=shutil.ignore_patterns("__pycache__"),
        )
        environment = self._environment()
        shutil.copy(environment / "requirements.txt", site)
        (site / ".venv").symlink_to(environment)
        (site / ".gitignore").write_text(".venv\ndist/\n")
        run(["git", "init", "--quiet"], site)
        run(["git", "add", "--all"], site)
        arch = {"aarch64": "arm64", "arm64": "arm64"}.get(machine(), "x86_64")
        package = [sys.executable, "-m", "apps.aws_lambda.cli", "package"]
        run([*package, "--root", site, "--arch", arch])
        archive = site / "dist" / f"lambda-{arch}.zip"
        archive = archive.rename(root.parent / "package.zip")
        extract(archive, root)
        shutil.rmtree(site)
        if not variant.bundle:
            (root / BUNDLE).unlink()
            leave_bytecode(root, variant.bytecode)

    def _environment(self) -> Path:
        """Return a virtual environment of the site, with its lock file in it."""
        folder = self.work / "environment"
        if not folder.exists():
            uv = find_uv()
            run([*uv, "venv", "--quiet", "--python", sys.executable, folder])
            required = folder / "requirements.in"
            required.write_text("\n".join((*SITE, *OURS.requirements)))
            lock = folder / "requirements.txt"
            command = [*uv, "pip", "compile", "--quiet", "--generate-hashes"]
            command += ["--no-header", "--no-annotate", "--no-emit-index-url"]
            command += ["--universal", "--python", sys.executable]
            command += ["--constraint", str(LOCK), "--output-file", str(lock)]
            run([*command, required])
            command = [*uv, "pip", "install", "--quiet", "--require-hashes"]
            run([*command, "--python", folder / "bin/python", "-r", lock])
        return folder

    def _build_peer(self, root: Path, variant: Variant) -> None:
        """Install as `pip install --target`, and leave the bytecode of the variant."""
        adapter = variant.adapter
        shutil.copytree(self._installed(adapter, variant.bytecode), root)
        write_site(root, variant)
        collect = ("collectstatic", "--no-input", "--verbosity=0")
        run_django(root, adapter, "-m", "django", *collect)
        leave_bytecode(root, variant.bytecode, ("shop", "grown", *adapter.files))
        set_archive_times(root)

    def _installed(self, adapter: Adapter, bytecode: str) -> Path:
        """Return a folder with the packages of an adapter, and their bytecode."""
        folder = self.work / "installed" / f"{adapter.name}-{bytecode}"
        if folder.exists():
            return folder
        if bytecode != NONE:
            shutil.copytree(self._installed(adapter, NONE), folder)
            leave_bytecode(folder, bytecode)
            return folder
        pip_install(folder, [*SITE, *adapter.requirements])
        for name, source in adapter.installed.items():
            shutil.copy(folder / source, folder / name)
        for name in adapter.not_packaged:
            for path in folder.glob(f"{name}*"):
                shutil.rmtree(path)
        return folder


def leave_bytecode(root: Path, bytecode: str, parts: Iterable[str] = (".",)) -> None:
    """Compile parts of a package, unless the bytecode is NONE."""
    if bytecode != NONE:
        mode = "unchecked-hash" if bytecode == VALID else "timestamp"
        compile_all(root, mode, parts)


def run_django(
    root: Path,
    adapter: Adapter,
    *arguments: str,
    url: str = "postgres://shop@127.0.0.1:1/shop",
    prefix: tuple[str, ...] = (),
) -> None:
    """
    Run Python with the packages of a package, and no others.

    ``prefix`` is a program that runs the command.
    """
    variables = {
        "DATABASE_URL": url,
        "DJANGO_SETTINGS_MODULE": adapter.settings,
        "PYTHONHASHSEED": "0",
        "PYTHONPATH": str(root),
        "SECRET_KEY": "benchmark",
    }
    run([*prefix, sys.executable, "-S", "-B", *arguments], root, variables)


def runtime_libraries(folder: Path) -> Path:
    """
    Copy the libraries of Lambda's runtime with bytecode, which they have there.

    Those of an environment that was just installed have none.
    """
    with runtime.lambda_runtime() as linked:
        shutil.copytree(
            linked, folder, ignore=shutil.ignore_patterns("__pycache__", "*.pyc")
        )
    leave_bytecode(folder, VALID)
    return folder


def compile_all(folder: Path, mode: str, parts: Iterable[str]) -> None:
    """Compile all modules in parts of a folder, with this invalidation mode."""
    command = [sys.executable, "-m", "compileall", "-qq", "-j", "0", "-s", str(folder)]
    run([*command, "--invalidation-mode", mode, *(folder / part for part in parts)])


def set_archive_times(root: Path) -> None:
    """Give all files the time that they have in an archive with fixed times."""
    for path in root.rglob("*"):
        os.utime(path, (ARCHIVE_TIME, ARCHIVE_TIME))


def zipped(root: Path, archive: Path) -> Path:
    """Write a folder as a zip archive."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for path in sorted(root.rglob("*")):
            if path.is_file():
                file.write(path, path.relative_to(root))
    return archive


def versions() -> dict[str, str]:
    """Return the versions in peers.txt by their names."""
    return dict(re.findall(r"^([\w.-]+)==(\S+)", LOCK.read_text(), re.MULTILINE))


def seed(root: Path, adapter: Adapter, url: str) -> None:
    """Create the tables of the site, and some rows."""
    run_django(root, adapter, "-c", SEED, url=url)
