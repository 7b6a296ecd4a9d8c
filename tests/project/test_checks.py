"""The system checks of the app, with the settings of this project."""

import re
import subprocess
import sys

from apps.aws_lambda.checks.middleware import PLACES
from apps.aws_lambda.cli import ROOT


def test_redis_without_its_package_is_reported():
    process = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=ROOT,
        env={"ENV_FILE": "/dev/null", "CACHE_URL": "rediss://cache.example.com/0"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert process.returncode == 1
    assert "aws_lambda.E022" in process.stderr
    assert "such as CACHE_URL." in process.stderr


# With every optional middleware.
EVERYTHING = {
    "CORS_ALLOWED_ORIGINS": "https://app.example.com",
    "DATABASE_URL": "postgres://u:p@db.example.com/site",
    "ENV_FILE": "/dev/null",
    "LAMBDA_ORIGIN_SECRET": "0123456789" * 4,
    "LAMBDA_TRACING": "true",
    "PUBLIC_URL": "https://example.com",
    "SECRET_KEY": "x" * 50,
    "STAGE": "prod",
}


def test_the_order_in_the_hint_is_that_of_the_project_and_of_the_page():
    order, _, _ = PLACES.removeprefix("The order is: ").partition(".")
    names = order.split(", ")
    code = "import project.settings as s; print(*s.MIDDLEWARE, sep='\\n')"
    printed = subprocess.check_output(
        [sys.executable, "-c", code], cwd=ROOT, env=EVERYTHING, text=True
    )
    page = (ROOT / "docs" / "checks.md").read_text().partition("W010` Missing")[2]
    block = re.search(r"^MIDDLEWARE = \[\n(.*?)^\]", page, re.M | re.S)
    assert block

    def known(paths: list[str]) -> list[str]:
        """Return those that the hint names, by its names."""
        classes = [path.rpartition(".")[2] for path in paths]
        short = [re.sub(r"(View)?Middleware$", "", name) for name in classes]
        return [
            {"Message": "Messages"}.get(name, name)
            for name in short
            if {"Message": "Messages"}.get(name, name) in names
        ]

    assert known(printed.split()) == names
    on_the_page = known(re.findall(r'"(.+)"', block[1]))
    assert on_the_page == [name for name in names if name in on_the_page]
    assert {"RequestID", "Exception", "WhiteNoise", "Messages"} <= set(on_the_page)
