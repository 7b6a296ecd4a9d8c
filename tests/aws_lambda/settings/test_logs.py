"""LOGGING: JSON on standard output, with everything kept."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.aws_lambda.settings.conftest import Adopt, advice, changed
from tests.aws_lambda.settings.mysite import this_python
from tests.services.install import PROJECT

STREAM = {"class": "logging.StreamHandler"}
OWN = "apps.aws_lambda"
HANDLER = "apps.aws_lambda.observability.stdout.StdoutHandler"

# Configures logging as Django does, and logs to each logger at each level.
SCRIPT = """
import json, logging, sys
from django.conf import settings
from django.utils.log import configure_logging

config, records = map(json.loads, sys.argv[1:])
settings.configure(DEBUG=False, ADMINS=[])
logging.getLogger("django.request")
configure_logging("logging.config.dictConfig", config)
for name, level in records:
    try:
        raise ValueError(f"{name} {level}")
    except ValueError:
        number = getattr(logging, level)
        logging.getLogger(name).log(number, "of %s", name, exc_info=True)
"""


class Output(NamedTuple):
    """What a process has written: lines of JSON, and standard error."""

    lines: list[dict[str, Any]]
    stderr: str

    @property
    def records(self) -> list[tuple[str, str]]:
        return [(line["logger"], line["level"]) for line in self.lines]


Log = Callable[..., Output]


@pytest.fixture
def log(adopt: Adopt, tmp_path: Path) -> Log:
    """Return a function that logs records with the LOGGING that apply() makes."""

    def log(given: dict[str, Any], *records: tuple[str, str]) -> Output:
        config = adopt(**({"LOGGING": given} if given else {}))["LOGGING"]
        process = subprocess.run(
            [*this_python(), "-c", SCRIPT, json.dumps(config), json.dumps(records)],
            cwd=tmp_path,
            env={"PYTHONPATH": os.pathsep.join([str(PROJECT), *sys.path])},
            capture_output=True,
            text=True,
            check=False,
        )
        assert process.returncode == 0, process.stderr
        lines = [json.loads(line) for line in process.stdout.splitlines()]
        return Output(lines, process.stderr)

    return log


CONSOLE = {"version": 1, "handlers": {"console": STREAM}}
REQUEST = ("django.request", "ERROR")


@pytest.mark.parametrize(
    "given",
    [
        # Django's default.
        {},
        # disable_existing_loggers is on, which disables django.request.
        {**CONSOLE, "root": {"handlers": ["console"]}},
        # No root logger.
        {**CONSOLE, "loggers": {"django": {"handlers": ["console"]}}},
        # The root logger by its other name.
        {**CONSOLE, "loggers": {"": {"handlers": ["console"], "level": "WARNING"}}},
        # Two handlers for one record.
        {
            "version": 1,
            "handlers": {"console": STREAM, "other": STREAM},
            "loggers": {"django.request": {"handlers": ["console", "other"]}},
            "root": {"handlers": ["console"], "level": "INFO"},
        },
    ],
)
def test_the_traceback_of_an_error_is_one_line_of_json(log: Log, given: dict[str, Any]):
    output = log(given, REQUEST)

    [line] = output.lines
    assert (line["logger"], line["level"]) == REQUEST
    assert line["exception"]["message"] == "django.request ERROR"
    assert output.stderr == ""


def test_no_logging_of_the_site_is_logging_in_json(adopt: Adopt):
    assert adopt(LOGGING=None)["LOGGING"] == adopt()["LOGGING"]


def test_levels_of_loggers_and_handlers_are_kept(log: Log):
    given = {
        "version": 1,
        "handlers": {"console": {**STREAM, "level": "INFO"}},
        "loggers": {"shop": {"level": "DEBUG"}, "shop.db": {"level": "ERROR"}},
        "root": {"handlers": ["console"], "level": "WARNING"},
    }
    levels = ("DEBUG", "INFO", "WARNING", "ERROR")

    output = log(
        given, *((name, level) for name in ("shop", "shop.db", "x") for level in levels)
    )

    assert output.records == [
        ("shop", "INFO"), ("shop", "WARN"), ("shop", "ERROR"),
        ("shop.db", "ERROR"),
        ("x", "WARN"), ("x", "ERROR"),
    ]  # fmt: skip


def test_a_line_below_the_level_of_a_loggers_handler_is_not_lost(log: Log):
    """The handler of a logger may take warnings only, and the root's everything."""
    given = {
        "version": 1,
        "handlers": {"console": {**STREAM, "level": "WARNING"}, "all": STREAM},
        "loggers": {"shop": {"handlers": ["console"], "level": "INFO"}},
        "root": {"handlers": ["all"], "level": "INFO"},
    }

    output = log(given, ("shop", "INFO"), ("shop", "ERROR"))

    assert output.records == [("shop", "INFO"), ("shop", "ERROR")]


def test_the_access_log_does_not_depend_on_the_sites_levels(log: Log):
    given = {
        "version": 1,
        "handlers": {"console": STREAM},
        "root": {"handlers": ["console"], "level": "ERROR"},
    }

    output = log(given, (f"{OWN}.access", "INFO"), ("shop", "INFO"))

    assert output.records == [(f"{OWN}.access", "INFO")]


@pytest.mark.parametrize(
    "handler",
    [
        {"class": "logging.FileHandler", "filename": "/var/log/absent/site.log"},
        {"class": "logging.FileHandler", "filename": "absent/site.log"},
        {
            "class": "logging.handlers.RotatingFileHandler",
            "filename": "/absent/site.log",
            "maxBytes": 1000,
        },
        {"class": "logging.handlers.SysLogHandler", "address": "/absent/dev/log"},
        {"()": "logging.StreamHandler"},
        {"class": "rich.logging.RichHandler"},
        {"class": "concurrent_log_handler.X", "filename": "/absent/site.log"},
    ],
)
def test_a_handler_that_does_not_fit_writes_json_instead(
    log: Log, handler: dict[str, Any]
):
    given = {
        "version": 1,
        "formatters": {"text": {"format": "%(message)s"}},
        "filters": {"quiet": {"()": "django.utils.log.RequireDebugTrue"}},
        "handlers": {
            "site": {**handler, "formatter": "text", "level": "ERROR"},
            "never": {**handler, "filters": ["quiet"]},
        },
        "loggers": {"shop": {"handlers": ["site", "never"], "propagate": False}},
    }

    output = log(given, ("shop", "WARNING"), ("shop", "ERROR"))

    assert output.records == [("shop", "ERROR")]


def test_all_other_handlers_are_kept(adopt: Adopt):
    given: dict[str, Any] = {
        "version": 1,
        "filters": {"f": {"()": "django.utils.log.RequireDebugFalse"}},
        "formatters": {"text": {"format": "%(message)s"}},
        "handlers": {
            "console": {**STREAM, "formatter": "text", "filters": ["f"]},
            "mail_admins": {"class": "django.utils.log.AdminEmailHandler"},
            "sentry": {"class": "sentry_sdk.integrations.logging.EventHandler"},
            "null": {"class": "logging.NullHandler"},
            "efs": {"class": "logging.FileHandler", "filename": "/mnt/logs/site.log"},
            "udp": {"class": "logging.handlers.SysLogHandler", "address": ["h", 514]},
            "own": {"()": "mysite.logs.make_handler", "url": "https://example.com"},
        },
        "loggers": {
            "django.request": {"handlers": ["mail_admins"], "level": "ERROR"},
            "noise": {"handlers": ["null"], "propagate": False},
        },
        "root": {"handlers": ["sentry"], "level": "WARNING"},
    }

    config = adopt(LOGGING=given)["LOGGING"]

    handlers = dict(config["handlers"])
    assert handlers.pop("console") == {
        "class": HANDLER,
        "formatter": "lambda_json",
        "filters": ["f"],
    }
    del handlers["lambda_stdout"]
    assert handlers == {k: v for k, v in given["handlers"].items() if k != "console"}
    assert config["root"]["handlers"] == ["sentry", "lambda_stdout"]
    loggers = dict(config["loggers"])
    del loggers[OWN]
    assert loggers == given["loggers"]
    assert config["filters"] == given["filters"]
    assert config["formatters"]["text"] == given["formatters"]["text"]


def test_the_root_logger_is_configured_once(adopt: Adopt):
    """dictConfig removes the handlers of the first of its two names."""
    given = {
        "version": 1,
        "handlers": {"mail_admins": {"class": "django.utils.log.AdminEmailHandler"}},
        "loggers": {"": {"handlers": ["mail_admins"], "level": "ERROR"}},
    }

    config = adopt(LOGGING=given)["LOGGING"]

    assert config["loggers"][""]["handlers"] == ["mail_admins", "lambda_stdout"]
    assert "root" not in config


@pytest.mark.parametrize(
    "formatter",
    [
        {"()": "pythonjsonlogger.json.JsonFormatter"},
        {"class": "structlog.stdlib.ProcessorFormatter"},
    ],
)
def test_a_formatter_that_writes_json_is_kept(adopt: Adopt, formatter: dict[str, str]):
    config = adopt(
        LOGGING={
            "version": 1,
            "formatters": {"own": formatter},
            "handlers": {"console": {**STREAM, "formatter": "own"}},
        }
    )["LOGGING"]

    assert config["handlers"]["console"] == {"class": HANDLER, "formatter": "own"}
    assert config["loggers"][OWN]["handlers"] == ["lambda_stdout"]


@pytest.mark.parametrize(
    ("variables", "own", "level"),
    [
        ({}, None, None),
        ({}, "ERROR", "ERROR"),
        ({"LOG_LEVEL": "debug"}, "ERROR", "DEBUG"),
        ({"AWS_LAMBDA_LOG_LEVEL": "TRACE"}, None, "DEBUG"),
        ({"AWS_LAMBDA_LOG_LEVEL": "INFO"}, "ERROR", "ERROR"),
        ({"LOG_LEVEL": "FATAL", "AWS_LAMBDA_LOG_LEVEL": "INFO"}, None, "CRITICAL"),
    ],
)
def test_the_level_of_the_root_logger(
    adopt: Adopt,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    own: str | None,
    level: str | None,
):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    given = {"LOGGING": {"version": 1, "root": {"level": own}}} if own else {}

    assert adopt(**given)["LOGGING"]["root"].get("level") == level


def test_the_metrics_are_where_the_deployment_says(
    adopt: Adopt, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("LAMBDA_METRICS_NAMESPACE", "Shop")
    monkeypatch.setenv("LAMBDA_METRICS_DIMENSIONS", "none")

    formatter = adopt()["LOGGING"]["formatters"]["lambda_json"]

    assert formatter == {
        "()": "apps.aws_lambda.observability.formatters.JSONFormatter",
        "metrics_namespace": "Shop",
        "metrics_dimensions": [],
    }


@pytest.mark.parametrize(
    "settings",
    [
        {"LOGGING_CONFIG": None},
        {"LOGGING_CONFIG": "mysite.logs.configure", "LOGGING": {"x": 1}},
        {"LOGGING": {"version": 1, "incremental": True}},
    ],
)
def test_logging_that_the_site_configures_itself_is_left_alone(
    adopt: Adopt, settings: dict[str, Any]
):
    after = adopt(**settings)

    assert {name: after[name] for name in settings} == settings
    assert "LOGGING" not in changed(after)
    assert "configures logging itself" in advice(after)["LOGGING"]
