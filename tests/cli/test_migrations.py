"""
Migrations must work with the previous version of the code.

A release migrates before it moves the traffic, so for some minutes, and again after a
rollback, older code runs with the newer database: docs/migrations.md.
"""

import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import apps
from django.db import connection
from django_migration_linter import MigrationLinter

from apps.aws_lambda.cli import ROOT

# The attribute with which a migration explains why it is safe, although the linter
# rejects it. The linter's own IgnoreMigration would have to be deployed.
REASON = "safe_because"


@pytest.fixture(autouse=True)
def _database(django_db_setup: None, django_db_blocker) -> Iterator[None]:
    """Allow a connection outside a transaction: nothing is written."""
    with django_db_blocker.unblock():
        yield
    connection.close()


def lint(label: str) -> int:
    """Lint an app's migrations, print and count the unsafe ones."""
    linter = MigrationLinter(
        include_apps=[label], all_warnings_as_errors=True, no_cache=True
    )
    for (app_label, _), migration in linter.migration_loader.disk_migrations.items():
        if app_label == label and not getattr(migration, REASON, ""):
            linter.lint_migration(migration)
    return linter.nb_erroneous


def own_apps() -> list[str]:
    return [
        configuration.label
        for configuration in apps.get_app_configs()
        if Path(configuration.path).is_relative_to(ROOT / "apps")
    ]


def test_every_migration_of_the_project_suits_the_previous_version(capsys):
    assert "documents" in own_apps()

    unsafe = sum(lint(label) for label in own_apps())

    output = capsys.readouterr().out
    assert "(documents, 0001_initial)... OK" in output
    assert unsafe == 0, (
        f"{output}\nSplit it into two releases, or explain in its class, with "
        f"{REASON} = '...', why it is safe: docs/migrations.md"
    )


INITIAL = """
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.CreateModel(
            "Article",
            [
                ("id", models.BigAutoField(primary_key=True)),
                ("title", models.CharField(max_length=200)),
                ("note", models.TextField(null=True)),
            ],
        ),
    ]
"""

NEXT = """
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    {attribute}
    dependencies = [("articles", "0001_initial")]
    operations = [{operation}]
"""


class Site:
    """An app with a first migration, to which a test adds a second one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "articles" / "migrations"
        self.folder.mkdir(parents=True)
        for path in (self.folder, self.folder.parent):
            (path / "__init__.py").touch()
        (self.folder / "0001_initial.py").write_text(INITIAL)

    def migrate(self, operation: str, attribute: str = "atomic = True") -> None:
        text = textwrap.dedent(NEXT).format(operation=operation, attribute=attribute)
        (self.folder / "0002_next.py").write_text(text)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings) -> Iterator[Site]:
    site = Site(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "articles"]
    yield site
    for name in [name for name in sys.modules if name.split(".")[0] == "articles"]:
        del sys.modules[name]


UNSAFE = {
    "DROPPING columns": "migrations.RemoveField('article', 'note')",
    "NOT NULL constraint on columns": "migrations.AddField("
    "'article', 'author', models.CharField(max_length=9, default=''))",
    "RENAMING columns": "migrations.RenameField('article', 'note', 'text')",
    "RENAMING tables": "migrations.RenameModel('Article', 'Page')",
    "DROPPING table": "migrations.DeleteModel('Article')",
    "ALTERING columns": "migrations.AlterField("
    "'article', 'note', models.IntegerField(null=True))",
    "ADDING unique constraint": "migrations.AlterField("
    "'article', 'title', models.CharField(max_length=200, unique=True))",
    "CREATE INDEX locks table": "migrations.AddIndex("
    "'article', models.Index(fields=['title'], name='by_title'))",
    "RunPython data migration is not reversible": "migrations.RunPython("
    "lambda apps, schema_editor: None)",
}


@pytest.mark.parametrize("finding", UNSAFE)
def test_a_migration_that_breaks_the_previous_version_is_rejected(
    site, capsys, finding
):
    site.migrate(UNSAFE[finding])

    assert lint("articles") == 1
    output = capsys.readouterr().out
    assert "(articles, 0002_next)... ERR" in output
    assert finding in output


@pytest.mark.parametrize(
    ("operation", "atomic"),
    [
        ("migrations.AddField('article', 'text', models.TextField(null=True))", True),
        (
            "migrations.AddField('article', 'views', "
            "models.IntegerField(db_default=0))",
            True,
        ),
        (
            "AddIndexConcurrently('article', models.Index(fields=['title'], "
            "name='by_title'))",
            False,
        ),
        (
            "migrations.AlterField('article', 'title', "
            "models.CharField(max_length=200, null=True)), "
            "migrations.SeparateDatabaseAndState(state_operations="
            "[migrations.RemoveField('article', 'title')])",
            True,
        ),
        (
            "migrations.RunSQL(\"SET LOCAL lock_timeout = '5s'\", "
            "migrations.RunSQL.noop), "
            "migrations.AddField('article', 'text', models.TextField(null=True))",
            True,
        ),
    ],
    ids=["nullable", "default", "concurrently", "state only", "lock timeout"],
)
def test_a_migration_that_suits_the_previous_version_is_accepted(
    site, operation, atomic
):
    site.migrate(operation, f"atomic = {atomic}")

    assert lint("articles") == 0


def test_raw_sql_is_linted(site, capsys):
    site.migrate(
        "migrations.RunSQL('ALTER TABLE articles_article DROP COLUMN note', "
        "'ALTER TABLE articles_article ADD COLUMN note text NULL')"
    )

    assert lint("articles") == 1
    assert "DROPPING columns" in capsys.readouterr().out


def test_a_migration_may_explain_why_it_is_safe(site):
    site.migrate(
        "migrations.RemoveField('article', 'note')",
        f"{REASON} = 'Nothing has read the column since the release before.'",
    )

    assert lint("articles") == 0
