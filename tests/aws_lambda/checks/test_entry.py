"""What the functions run, as the files next to manage.py say."""

import sys

import pytest

from tests.aws_lambda.checks import reported

ENTRY = 'os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.lambda_settings")'


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return the folder of the site, in which the checks run."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("lambda_entry.py", ENTRY),
        (
            "lambda_entry.py",
            'os.environ["DJANGO_SETTINGS_MODULE"] = "mysite.lambda_settings"',
        ),
        ("django-on-lambda.toml", 'settings = "mysite.lambda_settings"'),
    ],
)
def test_other_settings_of_the_functions_are_reported(folder, file, text):
    (folder / file).write_text(text)

    (message,) = reported("W014")

    assert f"These checks read project.settings, and {file} names" in message
    assert "mysite.lambda_settings" in message


def test_the_configuration_comes_before_the_entry(folder):
    (folder / "lambda_entry.py").write_text(ENTRY)
    (folder / "django-on-lambda.toml").write_text('settings = "project.settings"')

    assert not reported("W014")


def test_a_folder_without_these_files_is_not_checked(folder):
    assert not reported("W014")


def test_the_files_are_next_to_manage_py(folder, monkeypatch):
    (folder / "site").mkdir()
    (folder / "site" / "lambda_entry.py").write_text(ENTRY)
    monkeypatch.setattr(sys, "argv", ["site/manage.py", "check"])

    assert reported("W014")


@pytest.mark.parametrize(
    ("wrapped", "named", "messages"),
    [
        ("application = get_wsgi_application()", None, 0),
        ("application = Sentry(get_wsgi_application())", None, 1),
        ("application = get_wsgi_application()\napplication = W(application)", None, 1),
        ("application = Sentry(get_wsgi_application())", "shop.wsgi.application", 0),
    ],
)
def test_a_wsgi_module_that_is_not_served_is_reported(
    folder, monkeypatch, settings, wrapped, named, messages
):
    monkeypatch.syspath_prepend(folder)
    package = folder / f"shop{messages}{bool(named)}{len(wrapped)}"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "urls.py").write_text("urlpatterns = []")
    (package / "wsgi.py").write_text(wrapped)
    settings.ROOT_URLCONF = f"{package.name}.urls"
    settings.WSGI_APPLICATION = named

    assert len(reported("W015")) == messages
