"""Names in the documentation exist in the code, and the other way round."""

import ast
import json
import logging
import re
import subprocess
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

from apps.aws_lambda import conf
from apps.aws_lambda.observability.formatters import JSONFormatter
from apps.aws_lambda.test import LambdaClient

ROOT = Path(__file__).resolve().parents[1]
APP = ROOT / "apps" / "aws_lambda"


def test_every_setting_of_the_app_is_in_the_table():
    table = (ROOT / "docs" / "settings.md").read_text()
    table = table.partition("## Settings of the app")[2].partition("\n## ")[0]

    documented = set(re.findall(r"^\| `(LAMBDA_\w+)`", table, re.MULTILINE))

    assert documented == set(conf.DEFAULTS)


def test_every_linked_file_exists():
    broken = [
        (document.name, link)
        for document in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]
        for link in re.findall(r"\]\(([^)#]+)", document.read_text())
        if not link.startswith("http") and not (document.parent / link).exists()
    ]

    assert broken == []


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub generates for headings."""
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    }


def is_there(page: Path, anchor: str) -> bool:
    return page.exists() and (not anchor or anchor in anchors(page))


def test_every_linked_heading_exists():
    broken = [
        f"{document.name}: {name}#{anchor}"
        for document in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]
        for name, anchor in re.findall(
            r"\]\(([\w./-]*)#([\w-]+)\)", document.read_text()
        )
        if not is_there(document.parent / name if name else document, anchor)
    ]

    assert broken == []


# As in docs/operate.md#alarms: messages, comments, descriptions of resources.
NAMED = re.compile(r"\bdocs/([\w-]+\.md)(?:#([\w-]+))?")
SUFFIXES = {"", ".css", ".html", ".js", ".md", ".py", ".toml", ".yaml", ".yml"}


def texts() -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each file in git."""
    listed = subprocess.check_output(["git", "ls-files"], cwd=ROOT, text=True)
    for name in listed.splitlines():
        path = ROOT / name
        # A file that was deleted and not committed is listed too.
        if path.is_file() and path.suffix in SUFFIXES:
            # As one string, if it is on two lines.
            yield name, re.sub(r'"\s*\n\s*f?"', "", path.read_text())


def test_every_page_that_a_text_names_has_this_heading():
    named = {
        (name, page, anchor)
        for name, text in texts()
        for page, anchor in NAMED.findall(text)
        # Sites that tests write have pages of their own.
        if name != "tests/cli/sites.py" and not name.startswith("tests/cli/adopt/")
    }
    packaged = {page for name, page, _ in named if name.startswith("apps/aws_lambda/")}

    assert packaged >= {"capacity.md", "deploy.md", "deploy-reference.md", "operate.md"}
    assert [
        each for each in named if not is_there(ROOT / "docs" / each[1], each[2])
    ] == []


def test_every_file_in_the_map_exists():
    readme = (ROOT / "README.md").read_text()
    named = re.findall(r"^\| `([\w/.]+)`", readme, re.MULTILINE)

    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []


def documented(heading: str) -> set[str]:
    """Return the names in the first column of a table of docs/operate.md."""
    text = (ROOT / "docs" / "operate.md").read_text()
    rows = text.partition(f"| {heading} |")[2].partition("\n\n")[0].splitlines()[2:]
    return {name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])}


def metrics_of(path: Path) -> set[str]:
    """Return the names of the metrics that a module logs."""
    pairs = [
        (key.value, value)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Dict)
        for key, value in zip(node.keys, node.values, strict=True)
        if isinstance(key, ast.Constant)
    ]
    return {
        str(name.value)
        for key, value in pairs
        if key == "metrics" and isinstance(value, ast.Dict)
        for name in value.keys
        if isinstance(name, ast.Constant)
    }


def cut(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
    """A WSGI application whose stream fails."""
    start_response("200 OK", [])
    yield b"first"
    raise ValueError("in the stream")


def test_every_log_field_and_metric_is_documented(monkeypatch):
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "site-http")
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_VERSION", "1")
    monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=1-5e1b4151-5ac6c58f")
    written = StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(JSONFormatter())
    log = logging.getLogger("apps.aws_lambda.access")
    log.addHandler(handler)
    try:
        LambdaClient().get("/")
        LambdaClient("rest_streamed", application=cut).get("/")
    finally:
        log.removeHandler(handler)
    lines = [json.loads(text) for text in written.getvalue().splitlines()]
    assert len(lines) == 2
    line = lines[0] | lines[1]
    measured = {
        metric["Name"]
        for each in lines
        for metric in each["_aws"]["CloudWatchMetrics"][0]["Metrics"]
    }
    elsewhere = {name for path in APP.rglob("*.py") for name in metrics_of(path)}

    # Fields that only some records have.
    every = documented("field of every line") - {"exception", "stack"}
    every -= {"type", "traceback", "stack_info", "refused_metrics"}
    access = documented("field of an access line")
    assert measured | elsewhere == documented("metric | unit")
    assert line.keys() - measured - {"_aws", "FunctionName"} == every | access
