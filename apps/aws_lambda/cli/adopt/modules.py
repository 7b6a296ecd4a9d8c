"""Find the settings modules and their settings by reading the code, not running it."""

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

# Both are in the module that the others derive from.
BASE = {"INSTALLED_APPS", "ROOT_URLCONF"}
SKIPPED_FOLDERS = {"migrations", "node_modules", "test", "tests"}
# The module that adopt writes.
OWN = "lambda_settings"


@dataclass(frozen=True)
class SettingsModule:
    """
    A settings module: its dotted name, its file, and the lines of its settings.

    ``stars`` are the modules of which it imports everything. ``class_line`` is the
    line of a class with settings (django-configurations), or 0.
    """

    name: str
    path: str
    lines: dict[str, int]
    stars: tuple[str, ...] = ()
    class_line: int = 0


@dataclass(frozen=True)
class Modules:
    """The settings modules of a site, and the files that name one of them."""

    settings: dict[str, SettingsModule]
    # File and line of `DJANGO_SETTINGS_MODULE` in wsgi.py and manage.py, by module.
    wsgi: dict[str, str] = field(default_factory=dict)
    manage: dict[str, str] = field(default_factory=dict)

    def production(self) -> tuple[str, str]:
        """
        Return the module that production uses, and why it must be that one.

        wsgi.py alone is wrong for many sites: `wagtail start` writes the development
        settings there, because the server's environment overrides them. Returns
        ("", "") if it is not clear.
        """
        named = [m for m in self.settings if re.match("prod", m.rpartition(".")[2])]
        if len(named) == 1:
            return named[0], "by its name"
        for place in (self.wsgi, self.manage):
            known = [name for name in place if name in self.settings] or [*place]
            if len(known) == 1:
                return known[0], f"named in {place[known[0]]}"
        if len(self.settings) == 1:
            return next(iter(self.settings)), "the only one"
        return "", ""

    def chain(self, name: str) -> Iterator[SettingsModule]:
        """Yield a module and those it imports everything of, the nearest first."""
        seen, waiting = set(), [name]
        while waiting:
            current = waiting.pop(0)
            if current not in seen and (module := self.settings.get(current)):
                seen.add(current)
                yield module
                # The last import wins.
                waiting += reversed(module.stars)

    def place(self, name: str, setting: str) -> str:
        """Return file and line of a setting's value in a module, or ""."""
        for module in self.chain(name):
            if line := module.lines.get(setting):
                return f"{module.path}:{line}"
        return ""


def find_modules(root: Path, tracked: Iterable[str]) -> Modules:
    """Read the tracked Python files, and return the settings modules among them."""
    derived: dict[str, SettingsModule] = {}
    settings: dict[str, SettingsModule] = {}
    modules = Modules(settings)
    for name in tracked:
        path = PurePosixPath(name)
        if path.suffix != ".py" or SKIPPED_FOLDERS & set(path.parts):
            continue
        text = (root / name).read_text(errors="replace")
        if path.name in ("wsgi.py", "manage.py"):
            place = modules.wsgi if path.name == "wsgi.py" else modules.manage
            place.update(_named(text, name))
        if path.stem == OWN or not ("INSTALLED_APPS" in text or "import *" in text):
            continue
        try:
            module = _read(path, ast.parse(text))
        except SyntaxError:
            continue
        if module.lines.keys() >= BASE or module.class_line:
            settings[module.name] = module
        elif module.stars:
            derived[module.name] = module
    # A module that imports everything of a settings module is one, too.
    while found := {
        name: module
        for name, module in derived.items()
        if name not in settings and settings.keys() & set(module.stars)
    }:
        settings |= found
    return modules


def dotted(path: PurePosixPath) -> str:
    """Return the name of the module in a file."""
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _read(path: PurePosixPath, tree: ast.Module) -> SettingsModule:
    lines: dict[str, int] = {}
    stars: list[str] = []
    class_line = 0
    package = path.parent.parts
    for node in _statements(tree.body):
        if isinstance(node, ast.ClassDef):
            inside = {t for n in _statements(node.body) for t in _targets(n)}
            if inside >= {"INSTALLED_APPS"}:
                class_line = node.lineno
        if isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
            above = package[: len(package) + 1 - node.level] if node.level else ()
            stars.append(".".join([*above, *([node.module] if node.module else [])]))
        for target in _targets(node):
            lines[target] = node.lineno
    return SettingsModule(dotted(path), str(path), lines, tuple(stars), class_line)


def _statements(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield statements, with those in `if`, `try` and `with` blocks."""
    for node in body:
        yield node
        if isinstance(node, ast.If | ast.Try | ast.With):
            for name in ("body", "orelse", "handlers", "finalbody"):
                for child in getattr(node, name, ()):
                    inner = (
                        child.body if isinstance(child, ast.ExceptHandler) else [child]
                    )
                    yield from _statements(inner)


def _targets(node: ast.stmt) -> Iterator[str]:
    targets = (
        node.targets
        if isinstance(node, ast.Assign)
        else [node.target]
        if isinstance(node, ast.AnnAssign | ast.AugAssign)
        else []
    )
    for target in targets:
        for name in ast.walk(target):
            if isinstance(name, ast.Name) and name.id.isupper():
                yield name.id


def _named(text: str, path: str) -> Iterator[tuple[str, str]]:
    """Yield the settings modules that a file names, each with file and line."""
    pattern = r"""["']DJANGO_SETTINGS_MODULE["']\s*\]?\s*[,=]\s*["']([\w.]+)["']"""
    for match in re.finditer(pattern, text):
        yield match[1], f"{path}:{text.count(chr(10), 0, match.start()) + 1}"
