"""apply(): what it writes, what it records, and what it refuses."""

import ast
import json
import re
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from apps.aws_lambda import settings as package
from apps.aws_lambda.settings import apply
from tests.aws_lambda.settings.conftest import VARIABLES, Adopt, changed, startproject

FOLDER = Path(package.__file__).parent
PAGE = (FOLDER.parents[2] / "docs" / "settings.md").read_text()


def test_only_what_changes_is_written(adopt: Adopt):
    settings = adopt()

    before = startproject()
    written = {name for name in settings if settings[name] != before.get(name)}
    assert written - {"LAMBDA_CHANGES"} == changed(settings)
    assert changed(settings) == {
        "DEBUG",
        "INSTALLED_APPS",
        "LOGGING",
        "MIDDLEWARE",
        "STATIC_ROOT",
    }


def test_nothing_is_written_for_settings_that_fit(adopt: Adopt):
    once = adopt()

    again = adopt(**once)

    assert changed(again) == changed(once)
    assert {name: again[name] for name in once} == once


def test_the_record_can_be_written_as_json(adopt: Adopt):
    record = adopt()["LAMBDA_CHANGES"]

    assert json.loads(json.dumps(record)) == record
    for change in record["changes"]:
        assert all(change[key] for key in ("setting", "what", "why", "own"))


@pytest.mark.parametrize("name", ["DEBUG", "MIDDLEWARE", "LOGGING", "INSTALLED_APPS"])
def test_a_setting_that_is_kept_is_not_changed(adopt: Adopt, name: str):
    settings = adopt(keep=(name,))

    assert settings.get(name) == startproject().get(name)
    assert name not in changed(settings)


def test_a_setting_can_be_kept_by_name():
    namespace = startproject()

    apply(namespace, keep="DEBUG")

    assert namespace["DEBUG"] is True


def test_an_unknown_name_to_keep_is_refused(adopt: Adopt):
    with pytest.raises(ImproperlyConfigured, match=r"keep='LOGING', which is not a"):
        adopt(keep=("LOGING",))


def test_a_module_without_settings_is_refused():
    with pytest.raises(ImproperlyConfigured, match=r"^shop\.x has no ROOT_URLCONF"):
        apply({"__name__": "shop.x"})


@pytest.mark.parametrize("kind", [list, tuple])
def test_a_sequence_keeps_its_type(adopt: Adopt, kind: type):
    given = startproject()
    names = ("INSTALLED_APPS", "MIDDLEWARE", "ALLOWED_HOSTS")

    settings = adopt(**{name: kind(given[name]) for name in names})

    assert {type(settings[name]) for name in names} == {kind}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LAMBDA_TRUSTED_PROXIES", "two"),
        ("LAMBDA_DEADLINE_MARGIN", "soon"),
        ("PUBLIC_URL", "example.com"),
        ("PUBLIC_URL", "https:///shop"),
        ("LAMBDA_DATABASE_PROFILE", "pool"),
        ("LOG_LEVEL", "LOUD"),
        ("LAMBDA_METRICS_NAMESPACE", "AWS/Lambda"),
        ("LAMBDA_METRICS_DIMENSIONS", "route,user"),
    ],
)
def test_a_wrong_variable_is_refused_with_its_name(
    adopt: Adopt, monkeypatch: pytest.MonkeyPatch, name: str, value: str
):
    monkeypatch.setenv(name, value)

    with pytest.raises(ImproperlyConfigured) as raised:
        adopt()

    assert name in str(raised.value)
    assert value in str(raised.value)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("LAMBDA_BASE_PATH", "/shop", "/shop"),
        ("LAMBDA_DEADLINE_MARGIN", "1.5", 1.5),
        ("LAMBDA_ORIGIN_SECRET", "s" * 32, "s" * 32),
        ("LAMBDA_TRUSTED_PROXIES", "2", 2),
        ("LAMBDA_URL_SCHEME", "http", "http"),
    ],
)
def test_a_setting_of_the_app_comes_from_its_variable(
    adopt: Adopt, monkeypatch: pytest.MonkeyPatch, name: str, text: str, value: object
):
    monkeypatch.setenv(name, text)

    settings = adopt()

    assert settings[name] == value
    assert "s" * 32 not in json.dumps(settings["LAMBDA_CHANGES"])


def test_a_setting_of_the_site_wins_over_the_variable(
    adopt: Adopt, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("LAMBDA_TRUSTED_PROXIES", "2")

    assert adopt(LAMBDA_TRUSTED_PROXIES=3)["LAMBDA_TRUSTED_PROXIES"] == 3


# The page


def calls(name: str) -> "list[ast.Call]":
    """Return the calls of a method or function of this name in the package."""
    return [
        node
        for file in FOLDER.glob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call)
        and getattr(node.func, "attr", getattr(node.func, "id", "")) == name
    ]


def texts(nodes: "list[ast.Call]") -> set[str]:
    first = [node.args[0] for node in nodes if node.args]
    return {str(n.value) for n in first if isinstance(n, ast.Constant)}


def test_every_setting_that_is_changed_is_documented():
    names = texts(calls("change"))

    assert len(names) > 15
    assert {name for name in names if f"`{name}`" not in PAGE} == set()


def test_every_variable_is_documented_and_listed_here():
    read = texts(calls("read")) | texts(calls("level"))
    table = PAGE.partition("## Variables")[2]

    assert len(read) > 8
    assert read <= set(VARIABLES)
    assert set(re.findall(r"^\| `(\w+)`", table, re.MULTILINE)) == set(VARIABLES)
