"""This project's own site: the same on Lambda as without."""

import os
import re
import subprocess
import sys
from pathlib import Path

from apps.aws_lambda.cli import ROOT

CONFIGURATION = """
settings = "project.settings"
lock = "requirements/runtime.txt"
code = ["lambda_entry.py", "project", "apps"]
pages = ["/", "/health/ready", "/admin/login/"]
[stand-ins]
STAGE = "check"
ALLOWED_HOSTS = "shop.example"
DATABASE_URL = "postgres://check@127.0.0.1:1/check"
MEDIA_BUCKET = "check"
SECRET_KEY = "only-for-the-tests-of-a-check"
"""


def test_this_site_is_the_same_on_lambda(tmp_path: Path):
    for name in ("apps", "project", "lambda_entry.py", "serverless.yml"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "django-on-lambda.toml").write_text(CONFIGURATION)

    process = subprocess.run(
        [sys.executable, "-m", "apps.aws_lambda.cli", "check", "--crawl"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "VIRTUAL_ENV": sys.prefix},
        capture_output=True,
        text=True,
        check=False,
    )

    text = process.stdout + process.stderr
    assert process.returncode == 0, text
    assert "200 /health/ready (page)" in text
    assert re.search(r"(\d{3}) requests: \1 equal, 0 different, 0 ignored", text), text
