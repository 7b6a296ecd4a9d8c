"""The texts of the files that a site gets."""

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from .. import __file__ as cli
from ..configuration import PROVIDED
from .facts import Site
from .modules import OWN

TEMPLATES = Path(__file__).with_name("templates")
# With the resources that it names.
SERVERLESS = Path(cli).with_name("serverless") / "site"
# The event sources of serverless.yml, with their names in LambdaClient.
EVENT_SOURCES = {
    "http-api": "http_default",
    "rest-api": "rest_stage",
    "function-url": "function_url",
}
# For a site whose key is in a file that git does not track.
KEY_LINES = """\
# No settings that git tracks have it.
SECRET_KEY = os.environ["SECRET_KEY"]
"""
# An item of a list in serverless.yml.
FILE = "  - ${{file(.django-on-lambda/{}.yml)}}"
# Narrow, so that no pattern hides a file of the site.
IGNORED = """\
/.django-on-lambda/
/.run/
/.serverless/
/dist/lambda-*
/node_modules/
"""


@dataclass(frozen=True)
class Answers:
    """
    What a person chose, which the next run takes again.

    ``service`` is the name in serverless.yml, ``production`` a settings module or "",
    ``stand_ins`` are values of environment variables.
    """

    service: str
    production: str = ""
    event_source: str = "http-api"
    stand_ins: Mapping[str, str] | None = None


def service_name(root: Path) -> str:
    """Return a service's name from the project's, or from the name of its folder."""
    name = root.name
    if (path := root / "pyproject.toml").is_file():
        try:
            project = tomllib.loads(path.read_text()).get("project", {})
        except tomllib.TOMLDecodeError:
            project = {}
        name = project.get("name") or name
    name = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    # AWS limits the names of functions and roles, which have more than this in them.
    return (name if name[:1].isalpha() else f"site-{name}").rstrip("-")[:30].rstrip("-")


def settings_module(production: str) -> str:
    """Return the name of the module that is written beside that of production."""
    return ".".join([*production.split(".")[:-1], OWN])


def plan(site: Site, answers: Answers, keeps: Iterable[str]) -> dict[str, str]:
    """
    Return the new files: texts by path.

    A site has its own package.json if it is among ``keeps``.
    """
    package, _, module = site.production.rpartition(".")
    settings = settings_module(site.production)
    pages = site.report["pages"]
    stand_ins = {**(answers.stand_ins or {}), **site.probed.stand_ins}
    functions = ["http", "schedule", "manage"]
    # Django has background tasks since version 6.
    has_tasks = site.report["django"][0] >= 6
    if has_tasks:
        functions.insert(1, "tasks")
    deployment = (SERVERLESS / "serverless.yml").read_text()
    values = {
        "service": answers.service,
        "settings": settings,
        "base": f".{module}" if package else module,
        "imports": "import os\n" if site.probed.without_key else "",
        "key": KEY_LINES if site.probed.without_key else "",
        "handlers": "\n".join(f"    {n} = handlers.{n}()" for n in functions),
        "functions": ", ".join(functions),
        "tasks_function": FILE.format("tasks") if has_tasks else "",
        "tasks_resources": FILE.format("resources/tasks") if has_tasks else "",
        "runtime": f"python{site.python_version}",
        "event_source": answers.event_source,
        "test_event_source": EVENT_SOURCES[answers.event_source],
        "page": pages[0] if pages else "/",
        "status": "400" if pages else "500",
        "environment": "\n".join(
            f"    {name}: ssm:/${{self:service}}/${{sls:stage}}/{parameter(name)}"
            for name in sorted(stand_ins)
            if not re.search(rf"^ +{name}:", deployment, re.MULTILINE)
        ),
    }
    test = "tests/test_lambda.py" if _has_tests(site) else "test_lambda.py"
    files = {
        f"{settings.replace('.', '/')}.py": render("lambda_settings.py", values),
        "lambda_entry.py": render("lambda_entry.py", values),
        "serverless.yml": _fill(deployment, values),
        "package.json": _fill((SERVERLESS / "package.json").read_text(), values),
        "django-on-lambda.toml": render(
            "django-on-lambda.toml", _configuration(site, settings, stand_ins)
        ),
        test: render("test_lambda.py", values),
    }
    if "package.json" in keeps:
        del files["package.json"]
    return files


def parameter(variable: str) -> str:
    """Return the name of a variable's parameter in Parameter Store."""
    return variable.lower().replace("_", "-")


def render(template: str, values: Mapping[str, str]) -> str:
    """Return the text of a template with its placeholders replaced."""
    return _fill((TEMPLATES / f"{template}.template").read_text(), values)


def _fill(text: str, values: Mapping[str, str]) -> str:
    """Replace each `{{ name }}`. Raises KeyError for an unknown one."""
    # A line of an empty placeholder is left out.
    text = re.sub(
        r"^\{\{ (\w+) \}\}\n",
        lambda match: match[0] if values[match[1]] else "",
        text,
        flags=re.MULTILINE,
    )
    text = re.sub(r"\{\{ (\w+) \}\}", lambda match: values[match[1]], text)
    return text.rstrip() + "\n"


def _configuration(
    site: Site, settings: str, stand_ins: Mapping[str, str]
) -> dict[str, str]:
    tops = {name.split("/")[0] for name in site.tracked}
    code = {name for name in site.report["used"] if name in tops}
    code |= {"lambda_entry.py", f"{settings}.py".split(".")[0]}
    if "." not in settings:
        code = code - {settings} | {f"{settings}.py"}
    files = [
        name
        for name in site.report["opened"]
        if name in site.tracked and name.split("/")[0] not in code
    ]
    return {
        "settings": _toml(settings),
        "lock": _toml(site.lock.path if site.lock else ""),
        "code": _toml(sorted(code)),
        "files": _toml(sorted(files)),
        "provided": (
            "# Not in the package: Lambda's runtime has them or replaces them.\n"
            f"provided = {_toml([*sorted(PROVIDED), *site.packages.servers])}\n"
            if site.packages.servers
            else ""
        ),
        "pages": _toml(site.report["pages"]),
        "stand_ins": "\n".join(
            f"{name} = {_toml(value)}" for name, value in sorted(stand_ins.items())
        ),
    }


def _toml(value: str | list[str]) -> str:
    """Return a value in TOML, of which JSON's strings and lists are a part."""
    text = json.dumps(value, ensure_ascii=False)
    if isinstance(value, list) and len(text) > 70:
        items = "".join(f"  {json.dumps(v, ensure_ascii=False)},\n" for v in value)
        return f"[\n{items}]"
    return text


def _has_tests(site: Site) -> bool:
    return any(re.fullmatch(r"tests/[^/]+\.py", name) for name in site.tracked)
