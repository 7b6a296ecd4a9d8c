"""The two profiles of database settings, and what overrides them."""

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from environ import Env

from apps.aws_lambda.database import configure, profiles

SQLITE = {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}


def parsed(
    query: str = "", host: str = "db.example.com", user: str = "u:p"
) -> dict[str, Any]:
    url: dict[str, Any] = Env.db_url_config(
        f"postgres://{user}@{host}:5432/site{query}"
    )
    return url


@pytest.mark.parametrize(
    ("profile", "age", "no_cursors"), [("direct", 0, None), ("proxy", 60, True)]
)
def test_a_profile_sets_every_documented_value(profile, age, no_cursors):
    settings = configure(parsed(), profile=profile)

    assert settings["CONN_MAX_AGE"] == age
    assert settings["CONN_HEALTH_CHECKS"] is True
    assert settings.get("DISABLE_SERVER_SIDE_CURSORS") is no_cursors
    options = settings["OPTIONS"]
    assert options["connect_timeout"] == 3
    assert options["tcp_user_timeout"] == 2000
    assert options["prepare_threshold"] is None
    assert options["sslmode"] == "verify-full"
    assert "pool" not in options
    assert "options" not in options
    assert "aws_iam_auth" not in options


def test_the_engine_is_relative_to_the_package():
    spec = importlib.util.spec_from_file_location(
        "elsewhere.database.profiles", Path(profiles.__file__)
    )
    assert spec is not None
    assert spec.loader is not None
    copy = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(copy)

    assert configure(parsed(), profile="direct")["ENGINE"] == (
        "apps.aws_lambda.database.postgresql"
    )
    assert copy.configure(parsed(), profile="direct")["ENGINE"] == (
        "elsewhere.database.postgresql"
    )


def test_the_values_of_the_url_are_kept():
    settings = configure(parsed(), profile="proxy")

    assert settings["NAME"] == "site"
    assert settings["USER"] == "u"
    assert settings["PASSWORD"] == "p"
    assert settings["HOST"] == "db.example.com"
    assert settings["PORT"] == 5432


def test_the_url_can_override_every_value():
    settings = configure(
        parsed(
            "?CONN_MAX_AGE=5&CONN_HEALTH_CHECKS=False&DISABLE_SERVER_SIDE_CURSORS=False"
            "&connect_timeout=9&tcp_user_timeout=8000&prepare_threshold=7"
            "&sslmode=require&sslrootcert=rds.pem&application_name=site"
        ),
        profile="proxy",
    )

    assert settings["CONN_MAX_AGE"] == 5
    assert settings["CONN_HEALTH_CHECKS"] is False
    assert settings["DISABLE_SERVER_SIDE_CURSORS"] is False
    assert settings["OPTIONS"] == {
        "connect_timeout": 9,
        "tcp_user_timeout": 8000,
        "prepare_threshold": 7,
        "sslmode": "require",
        "sslrootcert": "rds.pem",
        "application_name": "site",
    }


def test_calls_share_no_settings():
    configure(parsed(), profile="direct")["OPTIONS"]["connect_timeout"] = 99

    assert configure(parsed(), profile="direct")["OPTIONS"]["connect_timeout"] == 3


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("localhost", False),
        ("127.0.0.1", False),
        ("127.3.2.1", False),
        ("::1", False),
        ("localhost,127.0.0.1", False),
        ("", False),
        ("/var/run/postgresql", False),
        ("db", True),
    ],
)
def test_a_local_server_needs_no_tls(host, local):
    settings = parsed("") | {"HOST": host}
    options = configure(settings, profile="direct", local=local)["OPTIONS"]

    assert "sslmode" not in options
    assert "sslrootcert" not in options


@pytest.mark.parametrize("host", ["10.0.0.5", "localhost.example.com", "db,localhost"])
def test_any_other_server_needs_a_verified_name(host):
    options = configure(parsed("") | {"HOST": host}, profile="direct")["OPTIONS"]

    assert options["sslmode"] == "verify-full"


def test_the_root_certificates_are_the_first_file_that_exists(monkeypatch, tmp_path):
    second, third = tmp_path / "second.pem", tmp_path / "third.pem"
    second.touch()
    third.touch()
    files = (str(tmp_path / "first.pem"), str(second), str(third))
    monkeypatch.setattr(profiles, "ROOT_CERTIFICATE_FILES", files)

    options = configure(parsed(), profile="direct")["OPTIONS"]

    assert options["sslrootcert"] == str(second)


def test_without_such_a_file_libpq_finds_the_certificates(monkeypatch):
    monkeypatch.setattr(profiles, "ROOT_CERTIFICATE_FILES", ("/nowhere.pem",))

    options = configure(parsed(), profile="direct")["OPTIONS"]

    assert options["sslrootcert"] == "system"


def test_iam_authentication_is_an_option_of_the_engine():
    options = configure(parsed(), profile="direct", aws_iam_auth=True)["OPTIONS"]

    assert options["aws_iam_auth"] is True


@pytest.mark.parametrize("profile", ["direct", "proxy"])
@pytest.mark.parametrize("settings", [SQLITE, {"ENGINE": "django.db.backends.mysql"}])
def test_other_engines_are_unchanged(settings, profile):
    assert configure(settings, profile=profile, aws_iam_auth=True) == settings


def test_the_error_for_an_unknown_profile_has_the_choices():
    with pytest.raises(ImproperlyConfigured, match=r"'pooled'.*to direct or proxy"):
        configure(SQLITE, profile="pooled")


@pytest.mark.parametrize("profile", ["direct", "proxy"])
def test_a_pool_is_rejected(profile):
    with pytest.raises(ImproperlyConfigured, match=r"'pool'.*through RDS Proxy"):
        configure(parsed("?pool=true"), profile=profile)


def test_connection_options_are_rejected_with_the_proxy_profile():
    query = "?options=-c%20statement_timeout=5s"

    with pytest.raises(ImproperlyConfigured, match="lambda_database_setup"):
        configure(parsed(query), profile="proxy")

    options = configure(parsed(query), profile="direct")["OPTIONS"]
    assert options["options"] == "-c statement_timeout=5s"


@pytest.mark.skipif(sys.platform != "linux", reason="the paths are those of Linux")
def test_this_machine_has_one_of_the_root_certificate_files():
    file = Path(profiles.verified_tls()["sslrootcert"])

    assert b"BEGIN CERTIFICATE" in file.read_bytes()
