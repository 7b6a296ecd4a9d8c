"""
Find the tasks that installed apps define, and import nothing else for a message.

A message names a task. Importing a module runs its code, so a name from a message is
imported only if it is one of an app's module ``tasks``, which the init phase imports,
or if the source of another module of an app defines a task of that name.
"""

import ast
import sys
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

from django.apps import apps
from django.tasks import Task
from django.utils.module_loading import import_string

from ..deadline import DeadlineExceeded


class UnknownTask(ImportError):
    """No installed app defines a task of this name."""


def find(path: str) -> Task:
    """
    Return the task with this dotted path.

    Raises UnknownTask, before anything is imported, if no installed app defines it.
    Importing its module may raise anything, SystemExit included, which is the cause of
    an UnknownTask. Only DeadlineExceeded escapes.
    """
    if not is_defined(path):
        raise UnknownTask("no app of INSTALLED_APPS defines it")
    try:
        task = import_string(path)
    except DeadlineExceeded:
        raise
    except BaseException as error:
        raise UnknownTask(f"its import raises {type(error).__name__}") from error
    if not isinstance(task, Task):
        raise UnknownTask("it is not a task")
    return task


def finds(task: Task) -> bool:
    """Return whether its path leads the tasks function to the task."""
    module, _, name = task.module_path.rpartition(".")
    found = vars(sys.modules[module]).get(name) if module in sys.modules else None
    return (
        isinstance(found, Task)
        and found.func is task.func
        and is_defined(task.module_path)
    )


def is_defined(path: str) -> bool:
    """Return whether an installed app has a module that defines a task of this path."""
    module, _, name = path.rpartition(".")
    app = apps.get_containing_app_config(module)
    if app is None or not all(part.isidentifier() for part in path.split(".")):
        return False
    inside = module[len(app.name) + 1 :]
    if inside == "tasks":
        return True
    file = Path(app.path, *inside.split("."))
    files = (file.with_suffix(".py"), file / "__init__.py")
    return any(name in _defined_in(file) for file in files)


@lru_cache(maxsize=256)
def _defined_in(file: Path) -> frozenset[str]:
    """Return the names of the tasks in the source of a module, if there is one."""
    try:
        module = ast.parse(file.read_bytes())
    # Source that Python cannot read.
    except (OSError, RecursionError, SyntaxError, ValueError):
        return frozenset()
    statements = [*_statements(module.body)]
    decorators = {"task"}
    for node in statements:
        if isinstance(node, ast.ImportFrom):
            # from django.tasks import task as background
            names = [alias for alias in node.names if alias.name == "task"]
            decorators |= {alias.asname or alias.name for alias in names}
    return frozenset(
        name
        for node in statements
        for name, callables in _definitions(node)
        if any(_name(function) in decorators for function in callables)
    )


def _statements(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements at the top level of a module, also those in an ``if``."""
    for node in body:
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from _statements(
                child
                for child in ast.iter_child_nodes(node)
                if isinstance(child, ast.stmt)
            )


def _definitions(node: ast.stmt) -> Iterator[tuple[str, list[ast.expr]]]:
    """Yield the names that a statement defines, and what it calls to define them."""
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            yield node.name, node.decorator_list
        case ast.Assign(targets=[ast.Name(name)], value=ast.Call() as call):
            yield name, [call]


def _name(node: ast.expr) -> str:
    """Return "task" for ``task``, ``task(...)`` and ``tasks.task(...)(...)``."""
    while isinstance(node, ast.Call):
        node = node.func
    match node:
        case ast.Name(name) | ast.Attribute(attr=name):
            return name
    return ""
