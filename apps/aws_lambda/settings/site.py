"""The settings of a site, and the record of what is changed in them."""

from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from django.conf import global_settings
from django.core.exceptions import ImproperlyConfigured

# The package that holds this one, by any name.
INTEGRATION = __package__.rpartition(".")[0]

# What a function may write to: its own disk, and EFS, which is mounted below /mnt.
# https://docs.aws.amazon.com/lambda/latest/api/API_FileSystemConfig.html
WRITABLE = ("/tmp", "/mnt")  # noqa: S108


class Site:
    """
    The namespace of a settings module, read with Django's defaults.

    Only what changes is written: Django treats each name that a module defines as the
    site's choice, and refuses some of them beside others.
    """

    def __init__(self, namespace: dict[str, Any], keep: Iterable[str] = ()) -> None:
        self.namespace = namespace
        self.module: str = namespace.get("__name__", "the settings")
        # From an earlier call, in this module or in one that it imports.
        earlier = namespace.get("LAMBDA_CHANGES") or {}
        self.changes: list[dict[str, str]] = [*earlier.get("changes", ())]
        self.advice: list[dict[str, Any]] = []
        if not namespace.get("ROOT_URLCONF"):
            raise ImproperlyConfigured(
                f"{self.module} has no ROOT_URLCONF when it calls apply(): import the "
                "module with the production settings before, by 'from .production "
                "import *', which brings nothing from a package with __all__ or from "
                "settings in a class."
            )
        self.kept = frozenset((keep,) if isinstance(keep, str) else keep)
        for name in sorted(self.kept):
            known = name in namespace or hasattr(global_settings, name)
            if not known and not name.startswith("LAMBDA_"):
                raise ImproperlyConfigured(
                    f"{self.module} calls apply() with keep={name!r}, which is not a "
                    "setting of the site or of Django: correct or remove the name."
                )

    def get(self, name: str) -> Any:
        """Return the site's value, or Django's default, or None."""
        return self.namespace.get(name, getattr(global_settings, name, None))

    def change(self, name: str, value: Any, what: str, why: str, own: str = "") -> None:
        """
        Set a setting, and record it; do nothing if it is kept or has this value.

        ``own`` says how a site keeps its own value; by default, by ``keep``.
        """
        if name in self.kept or self.get(name) == value:
            return
        self.namespace[name] = value
        own = own or f'apply(globals(), keep=["{name}"])'
        change = {"setting": name, "what": what, "why": why, "own": own}
        if change not in self.changes:
            self.changes.append(change)

    def advise(self, about: str, text: str, *, blocks: bool = False) -> None:
        """Add an advice; ``blocks`` if the site cannot run on Lambda without it."""
        self.advice.append({"about": about, "text": text, "blocks": blocks})

    def record(self) -> None:
        self.namespace["LAMBDA_CHANGES"] = {
            "changes": self.changes,
            "advice": self.advice,
        }

    def is_installed(self, app: str) -> bool:
        """Return whether INSTALLED_APPS has the app, by its name or its AppConfig."""
        return any(
            entry == app or entry.startswith(f"{app}.apps.")
            for entry in self.get("INSTALLED_APPS")
        )

    def has(self, package: str) -> bool:
        """Return whether a package is installed."""
        return find_spec(package) is not None

    def require(self, package: str, needed: str, install: str, otherwise: str) -> None:
        """Raise ImproperlyConfigured if a package is not installed."""
        if not self.has(package):
            raise ImproperlyConfigured(
                f"{self.module}: {needed}, and the package {package} is not "
                f"installed: run 'pip install {install}', or {otherwise}."
            )

    @property
    def root(self) -> Path:
        """The folder with the site's code, which is read-only on Lambda."""
        if not (file := self.namespace.get("__file__")):
            return Path.cwd()
        path = Path(file).resolve()
        if path.name == "__init__.py":
            path = path.parent
        return path.parents[self.module.count(".")]

    def is_in_code(self, path: Any) -> bool:
        return (self.root / str(path)).is_relative_to(self.root)

    def is_writable(self, path: Any) -> bool:
        """Return whether a function can write to a path."""
        absolute = self.root / str(path)
        return not self.is_in_code(path) and any(map(absolute.is_relative_to, WRITABLE))


def like(original: Any, items: Iterable[Any]) -> Any:
    """Return the items as a tuple if the original is one, otherwise as a list."""
    return tuple(items) if isinstance(original, tuple) else list(items)
