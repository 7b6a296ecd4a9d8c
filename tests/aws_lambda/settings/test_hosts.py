"""Hosts, origins, the prefix and the scheme."""

import pytest

from tests.aws_lambda.settings.conftest import Adopt, changed


@pytest.mark.parametrize("given", [[], ["shop.example.org"], [None], ("localhost",)])
def test_the_hosts_of_the_deployment_are_added(
    adopt: Adopt, monkeypatch: pytest.MonkeyPatch, given: list[str]
):
    monkeypatch.setenv("PUBLIC_URL", "https://Example.com:8443")
    monkeypatch.setenv("LAMBDA_HOSTS", ".lambda-url.eu-west-1.on.aws, localhost")

    settings = adopt(ALLOWED_HOSTS=given)

    added = ["example.com", ".lambda-url.eu-west-1.on.aws", "localhost"]
    hosts = [*given, *(host for host in added if host not in given)]
    assert list(settings["ALLOWED_HOSTS"]) == hosts
    assert settings["LAMBDA_HOSTS"] == added[1:]


def test_hosts_that_the_site_allows_are_not_added(
    adopt: Adopt, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PUBLIC_URL", "https://example.com")

    assert "ALLOWED_HOSTS" not in changed(adopt(ALLOWED_HOSTS=["example.com"]))


def test_the_origin_of_the_public_url_is_trusted(
    adopt: Adopt, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PUBLIC_URL", "https://example.com/shop/")
    other = "https://other.example.com"

    settings = adopt(CSRF_TRUSTED_ORIGINS=(other,))

    assert settings["CSRF_TRUSTED_ORIGINS"] == (other, "https://example.com")
    assert settings["LAMBDA_BASE_PATH"] == "/shop"


def test_a_host_chosen_by_the_client_is_ignored(adopt: Adopt):
    assert adopt(USE_X_FORWARDED_HOST=True)["USE_X_FORWARDED_HOST"] is False


def test_a_header_of_a_proxy_is_kept(adopt: Adopt):
    header = ("HTTP_X_FORWARDED_PROTO", "https")

    assert adopt(SECURE_PROXY_SSL_HEADER=header)["SECURE_PROXY_SSL_HEADER"] == header


def test_a_forced_script_name_becomes_the_base_path(adopt: Adopt):
    settings = adopt(FORCE_SCRIPT_NAME="/shop/")

    assert settings["FORCE_SCRIPT_NAME"] is None
    assert settings["LAMBDA_BASE_PATH"] == "/shop"
    assert settings["STATIC_URL"] == "/shop/static/"
    assert settings["WHITENOISE_STATIC_PREFIX"] == "/static/"


def test_a_base_path_wins_over_a_forced_script_name(adopt: Adopt):
    settings = adopt(FORCE_SCRIPT_NAME="/shop", LAMBDA_BASE_PATH="/other")

    assert settings["FORCE_SCRIPT_NAME"] is None
    assert settings["LAMBDA_BASE_PATH"] == "/other"


def test_plain_http_is_served_on_a_developers_machine(
    adopt: Adopt, monkeypatch: pytest.MonkeyPatch
):
    secure = {
        "CSRF_COOKIE_SECURE": True,
        "SECURE_SSL_REDIRECT": True,
        "SESSION_COOKIE_SECURE": True,
    }
    assert adopt(**secure) | secure == adopt(**secure)

    monkeypatch.setenv("LAMBDA_URL_SCHEME", "http")
    settings = adopt(**secure)

    assert [settings[name] for name in secure] == [False] * 3
