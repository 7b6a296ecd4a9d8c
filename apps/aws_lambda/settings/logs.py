"""The log: JSON on standard output, which is what Lambda sends to CloudWatch."""

import logging
from typing import Any

from django.conf import global_settings
from django.utils.module_loading import import_string

from . import variables
from .site import INTEGRATION, Site

FORMATTER = f"{INTEGRATION}.observability.formatters.JSONFormatter"
HANDLER = f"{INTEGRATION}.observability.stdout.StdoutHandler"
# Their names in LOGGING.
JSON, STDOUT = "lambda_json", "lambda_stdout"

# Handlers of other packages that write for a person on a terminal.
TERMINALS = ("rich.logging.RichHandler", "colorlog.StreamHandler")
# Formatters whose lines are JSON already.
STRUCTURED = ("json", "structlog", "ecs_logging")
# Lambda's names that Python does not have.
LEVELS = {"TRACE": "DEBUG", "FATAL": "CRITICAL"}
DIMENSIONS = ("route", "task", "command")

Config = dict[str, Any]


def json_lines(site: Site) -> None:
    """
    Write each log record as JSON on standard output, and keep everything else.

    Handlers for a terminal and for files get another class and formatter, and keep
    their level and filters. All others, such as mail_admins and Sentry's, stay, and
    so do all loggers. ``disable_existing_loggers`` is off: by default it disables
    django.request, and no traceback of a 500 is logged. The app's own logger has a
    handler and a level of its own, because its access lines are metrics, and the
    site's root may be set to WARNING.
    """
    if not is_configured_here(site.get("LOGGING_CONFIG"), site.get("LOGGING")):
        site.advise(
            "LOGGING",
            f"The site configures logging itself: only the logger {INTEGRATION} "
            "writes JSON. Write your own lines to standard output.",
        )
        return
    # Django configures nothing for None.
    given: Config = site.get("LOGGING") or {}
    handlers, converted = {}, []
    formatters = given.get("formatters", {})
    for name, handler in given.get("handlers", {}).items():
        handlers[name] = handler
        if is_for_people(site, handler):
            handlers[name] = on_stdout(handler, formatters)
            converted.append(name)
    handlers.setdefault(STDOUT, {"class": HANDLER, "formatter": JSON})
    loggers = {**given.get("loggers", {})}
    config = {
        "version": 1,
        **given,
        "disable_existing_loggers": False,
        "formatters": {**formatters, JSON: {"()": FORMATTER, **metrics()}},
        "handlers": handlers,
        "loggers": loggers,
    }
    # Both names configure the root logger.
    if "" in loggers and "root" not in given:
        loggers[""] = root(site, loggers[""], handlers)
    else:
        config["root"] = root(site, given.get("root", {}), handlers)
    loggers.setdefault(
        INTEGRATION, {"handlers": [STDOUT], "level": "INFO", "propagate": False}
    )
    site.change(
        "LOGGING",
        config,
        "JSON on standard output, from the root logger"
        + (f" and instead of {', '.join(converted)}" if converted else ""),
        "CloudWatch finds fields by name, and files below the code or /var/log cannot "
        "be written. Levels, filters, loggers and other handlers are kept.",
    )


def is_configured_here(logging_config: Any, config: Any) -> bool:
    """Return whether Django configures logging from a LOGGING that can be extended."""
    usual = logging_config == global_settings.LOGGING_CONFIG
    # Such a one may only change levels.
    return usual and not (config or {}).get("incremental")


def add_handler() -> None:
    """
    Give the app's own logger its handler where LOGGING cannot: in AppConfig.ready().

    Its access lines are metrics, which a handler of the site would lose.
    """
    # Not needed where LOGGING names them.
    from ..observability.formatters import JSONFormatter
    from ..observability.stdout import StdoutHandler

    logger = logging.getLogger(INTEGRATION)
    if logger.handlers:
        return
    handler = StdoutHandler()
    handler.setFormatter(JSONFormatter(**metrics()))
    logger.addHandler(handler)
    logger.propagate = False
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.INFO)


def is_for_people(site: Site, handler: Config) -> bool:
    """Return whether a handler writes on a terminal, or to a file that cannot be."""
    if "filename" in handler:
        return not site.is_writable(handler["filename"])
    cls = handler.get("class") or handler.get("()")
    if cls == "logging.handlers.SysLogHandler":
        # A socket, which does not exist on Lambda.
        return isinstance(handler.get("address"), str)
    if isinstance(cls, str) and cls.startswith("logging."):
        cls = import_string(cls)
    if isinstance(cls, type):
        return issubclass(cls, logging.StreamHandler)
    return cls in TERMINALS


def on_stdout(handler: Config, formatters: Config) -> Config:
    """Return a handler with the level and the filters of another one."""
    formatter = formatters.get(handler.get("formatter", ""), {})
    cls = formatter.get("()") or formatter.get("class") or ""
    structured = any(word in str(cls).lower() for word in STRUCTURED)
    return {
        "class": HANDLER,
        "formatter": handler["formatter"] if structured else JSON,
        **{name: handler[name] for name in ("level", "filters") if name in handler},
    }


def root(site: Site, given: Config, handlers: Config) -> Config:
    """Return the root logger, with a handler that writes on standard output."""
    names = [*given.get("handlers", ())]
    if not any(handlers.get(name, {}).get("class") == HANDLER for name in names):
        names.append(STDOUT)
    config = {**given, "handlers": names}
    # The first is the operator's, the second Lambda's own, which has a default.
    least = level("LOG_LEVEL")
    if not least and "level" not in given:
        least = level("AWS_LAMBDA_LOG_LEVEL")
    return {**config, "level": least} if least else config


def level(variable: str) -> str:
    """Return Python's name of the log level in a variable, or ""."""
    value = variables.read(variable)
    name = LEVELS.get(value.upper(), value.upper())
    if name and name not in logging.getLevelNamesMapping():
        raise variables.wrong(variable, value, "a log level, such as INFO")
    return name


def metrics() -> Config:
    """Return the formatter's arguments: where its metrics belong."""
    arguments: Config = {}
    if namespace := variables.read("LAMBDA_METRICS_NAMESPACE"):
        if namespace.startswith("AWS/"):
            raise variables.wrong(
                "LAMBDA_METRICS_NAMESPACE", namespace, "a name that is not AWS's"
            )
        arguments["metrics_namespace"] = namespace
    if value := variables.read("LAMBDA_METRICS_DIMENSIONS"):
        names = [] if value == "none" else variables.split(value)
        if not set(names) <= set(DIMENSIONS):
            raise variables.wrong(
                "LAMBDA_METRICS_DIMENSIONS",
                value,
                f"none, or some of {','.join(DIMENSIONS)}",
            )
        arguments["metrics_dimensions"] = names
    return arguments
