"""django-on-lambda.toml says what the commands need to know about a site."""

import pytest

from apps.aws_lambda.cli import ROOT
from apps.aws_lambda.cli.configuration import (
    EXAMPLES,
    FILE,
    PROVIDED,
    Configuration,
    ConfigurationError,
)

SITE = """
settings = "mysite.lambda_settings"
lock = "uv.lock"
code = ["mysite", "lambda_entry.py"]
"""


def read(tmp_path, text):
    (tmp_path / FILE).write_text(text)
    return Configuration.read(tmp_path)


def test_three_keys_are_enough(tmp_path):
    site = read(tmp_path, SITE)

    assert site.settings == "mysite.lambda_settings"
    assert site.lock == "uv.lock"
    assert site.code == ("mysite", "lambda_entry.py")
    assert site.provided == PROVIDED
    assert site.requested == ("/",)
    assert (site.files, site.leave_out, site.stand_ins) == ((), (), {})


def test_every_key_is_read(tmp_path):
    site = read(
        tmp_path,
        f"{SITE}\n"
        'files = ["rds.pem"]\n'
        'leave-out = ["mysite/tests"]\n'
        'provided = ["boto3"]\n'
        'pages = ["/accounts/"]\n'
        '[stand-ins]\nSECRET_KEY = "x"\n',
    )

    assert site.files == ("rds.pem",)
    assert site.leave_out == ("mysite/tests",)
    assert site.provided == {"boto3"}
    assert site.requested == ("/accounts/",)
    assert site.stand_ins == {"SECRET_KEY": "x"}


def test_this_repository_has_one():
    assert Configuration.read(ROOT).settings == "project.settings"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("include = []", "unknown key include. Use code, files, keep, leave-out, lock"),
        ("x = 1\na = 2", "unknown key a, x. Use"),
        ('lock = "uv.lock"\ncode = ["a"]', "`settings` is missing. It is a string"),
        ('settings = "a"\nlock = ""\ncode = ["a"]', "`lock` is missing"),
        ('settings = "a"\nlock = "b"\ncode = []', "`code` is missing. It is a list"),
        ("settings = 1", "`settings` is 1. It is a string"),
        ('code = "apps"', "`code` is 'apps'. It is a list of strings"),
        ('code = ["apps", 3]', "`code` is ['apps', 3]"),
        ('code = ["/srv/site"]', "`code` has '/srv/site', which is outside"),
        ('lock = "/srv/uv.lock"', "`lock` is '/srv/uv.lock', which is not relative"),
        ('leave-out = "tests"', "`leave-out` is 'tests'"),
        ('pages = ["admin/"]', "`pages` has 'admin/', which does not start with /"),
        ("stand-ins = 1", "`stand-ins` is 1. It is a table of strings"),
        ("[stand-ins]\nDEBUG = false", "`DEBUG` in [stand-ins] is of type bool"),
        ("settings = ", "cannot be read: Invalid value"),
    ],
)
def test_what_is_wrong_is_named_with_an_example(text, sentence, tmp_path):
    with pytest.raises(ConfigurationError) as raised:
        read(tmp_path, text)

    assert sentence in str(raised.value)
    assert str(tmp_path / FILE) in str(raised.value)


def test_the_value_of_a_stand_in_is_not_printed(tmp_path):
    with pytest.raises(ConfigurationError) as raised:
        read(tmp_path, "[stand-ins]\nPIN = 271828")

    assert "271828" not in str(raised.value)


def test_a_missing_file_is_a_sentence_with_the_command(tmp_path):
    with pytest.raises(ConfigurationError, match="run django-on-lambda adopt"):
        Configuration.read(tmp_path)


def test_above_the_site_its_folder_is_named(tmp_path):
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / FILE).touch()

    with pytest.raises(ConfigurationError, match=f"in {tmp_path / 'web'}, which has"):
        Configuration.read(tmp_path)


def test_every_key_is_documented():
    page = (ROOT / "docs" / "package.md").read_text()

    assert [key for key in EXAMPLES if f"| `{key}` |" not in page] == []


@pytest.mark.parametrize(
    ("status", "healthy"),
    [(200, True), (302, True), (403, True), (400, False), (404, False), (500, False)],
)
def test_a_named_page_is_healthy_if_it_is_served(status, healthy, tmp_path):
    site = read(tmp_path, f'{SITE}\npages = ["/"]')

    assert site.is_healthy(status) == healthy


def test_a_site_without_pages_may_have_no_home_page(tmp_path):
    assert read(tmp_path, SITE).is_healthy(404)
    assert not read(tmp_path, SITE).is_healthy(400)
