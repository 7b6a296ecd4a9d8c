"""What the documents say of names is what the code has."""

import re
from pathlib import Path

from apps.aws_lambda import conf

ROOT = Path(__file__).resolve().parents[1]


def test_every_setting_of_the_app_is_in_the_table():
    table = (ROOT / "docs" / "adopt.md").read_text().partition("## Settings")[2]

    documented = set(re.findall(r"^\| `(LAMBDA_\w+)`", table, re.MULTILINE))

    assert documented == set(conf.DEFAULTS)


def test_every_file_that_a_document_links_to_exists():
    broken = [
        (document.name, link)
        for document in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]
        for link in re.findall(r"\]\(([^)#]+)", document.read_text())
        if not link.startswith("http") and not (document.parent / link).exists()
    ]

    assert broken == []


def test_every_file_that_the_readme_names_exists():
    readme = (ROOT / "README.md").read_text()
    named = re.findall(r"^\| `([\w/.]+)`", readme, re.MULTILINE)

    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []
