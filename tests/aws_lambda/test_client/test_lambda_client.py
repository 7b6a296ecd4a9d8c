"""LambdaClient works like Django's client, over all event sources."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user, get_user_model
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection
from django.test import TestCase, override_settings
from django.test.client import RedirectCycleError
from django.urls import reverse

from apps.aws_lambda.test import EVENT_SOURCES, EventSource, LambdaClient
from tests.aws_lambda.site import buffered

pytestmark = [
    pytest.mark.urls("tests.aws_lambda.test_client.client_urls"),
    pytest.mark.django_db,
]

User = get_user_model()
CREDENTIALS = {"username": "ada", "password": "correct horse"}


@pytest.fixture
def client(event_source: EventSource) -> LambdaClient:
    return LambdaClient(event_source)


@pytest.fixture(autouse=True)
def plain_authentication(settings: Any) -> None:
    """Check passwords fast, and without a request, which ``login()`` does not have."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]
    # The URLs of this site are others than those of the project.
    settings.LOGIN_URL = settings.LOGIN_REDIRECT_URL = "admin:index"
    settings.LOGOUT_REDIRECT_URL = None


@pytest.fixture
def admin_user() -> Any:
    return User.objects.create_superuser(**CREDENTIALS)


def test_the_site_has_its_public_urls(client: LambdaClient) -> None:
    facts = client.get("/facts/").json()

    prefix, host = client.event_source.prefix, client.event_source.host
    assert facts["path"] == f"{prefix}/facts/"
    assert facts["path_info"] == "/facts/"
    assert facts["reversed"] == f"{prefix}/page/"
    assert facts["absolute"] == f"https://{host}/x/"
    assert (facts["secure"], facts["host"]) == (True, host)


def test_each_request_has_its_own_prefix() -> None:
    for name in (
        "rest_stage",
        "rest_domain",
        "http_stage",
        "alb_multi",
        "rest_base_path",
    ):
        client = LambdaClient(name)

        assert (
            client.get("/facts/").json()["reversed"]
            == f"{client.event_source.prefix}/page/"
        )


def test_reverse_in_a_test_has_no_prefix(client: LambdaClient) -> None:
    client.get("/page/")

    assert reverse("page") == "/page/"


def test_a_path_can_contain_the_prefix(client: LambdaClient) -> None:
    public = f"{client.event_source.prefix}/facts/"

    assert client.get(public).json()["path"] == public
    assert (
        client.get(f"https://{client.event_source.host}{public}").json()["path"]
        == public
    )


def test_a_prefix_matches_whole_segments() -> None:
    client = LambdaClient("rest_stage")

    assert client.get("/products/").status_code == 404
    assert client.get("/prod/prod/").json()["path_info"] == "/prod/"


def test_a_path_keeps_its_escapes() -> None:
    client = LambdaClient("rest_stage")

    client.get("/a%2Fb/日本/100%25/")

    expected = "/a%2Fb/%E6%97%A5%E6%9C%AC/100%25/"
    assert client.last_event["path"] == expected


def test_query_headers_and_address_are_sent(client: LambdaClient) -> None:
    facts = client.get(
        "/facts/?x=1&x=ä%26b", headers={"X-Own": "mine"}, REMOTE_ADDR="198.51.100.9"
    ).json()

    assert facts["query"] == (
        ["1", "ä&b"] if client.event_source.repeated_parameters else ["ä&b"]
    )
    assert (facts["header"], facts["address"]) == ("mine", "198.51.100.9")


def test_query_params_are_sent(client: LambdaClient) -> None:
    assert client.get("/facts/", query_params={"x": "1"}).json()["query"] == ["1"]
    assert client.get("/facts/", {"x": "2"}).json()["query"] == ["2"]


def test_defaults_of_the_client_are_sent() -> None:
    client = LambdaClient("http_default", headers={"X-Own": "always"})

    assert client.get("/facts/").json()["header"] == "always"


def test_the_admin_supports_login_and_logout(
    client: LambdaClient, admin_user: Any
) -> None:
    prefix = client.event_source.prefix

    anonymous: Any = client.get("/admin/")
    assert anonymous.status_code == 302
    assert anonymous.url == f"{prefix}/admin/login/?next={prefix}/admin/"

    form = client.get(anonymous.url)
    assert form.templates[0].name == "admin/login.html"
    assert form.context["next"] == f"{prefix}/admin/"

    data = {**CREDENTIALS, "next": f"{prefix}/admin/"}
    index: Any = client.post(anonymous.url, data, follow=True)
    assert index.redirect_chain == [(f"{prefix}/admin/", 302)]
    assert index.status_code == 200
    assert f'href="{prefix}/admin/auth/group/"' in index.text
    assert index.wsgi_request.user == admin_user

    added = client.post("/admin/auth/group/add/", {"name": "Écrivains"}, follow=True)
    assert [str(m) for m in added.context["messages"]] != []
    assert "Écrivains" in added.text

    assert client.post("/admin/logout/").status_code == 200
    assert client.get("/admin/").status_code == 302


def test_csrf_checks_can_be_enforced(
    event_source: EventSource, admin_user: Any
) -> None:
    client = LambdaClient(event_source, enforce_csrf_checks=True)
    origin = {"Origin": f"https://{event_source.host}"}
    login = "/admin/login/"

    assert client.post(login, CREDENTIALS, headers=origin).status_code == 403

    token = client.get(login).context["csrf_token"]
    data = {**CREDENTIALS, "csrfmiddlewaretoken": str(token)}
    assert client.post(login, data, headers=origin).status_code == 302


def test_login_and_force_login(
    client: LambdaClient, admin_user: Any, settings: Any
) -> None:
    # login() has no request, which django-axes requires.
    settings.AXES_ENABLED = False
    assert client.login(**CREDENTIALS)
    assert client.get("/admin/").status_code == 200

    client.logout()
    assert client.get("/admin/").status_code == 302

    client.force_login(admin_user)
    assert client.get("/admin/").status_code == 200
    assert get_user(client.get("/page/").wsgi_request) == admin_user


def test_the_session_can_be_changed(client: LambdaClient) -> None:
    session = client.session
    session["colour"] = "red"
    session.save()

    response = client.get("/page/")

    assert response.wsgi_request.session["colour"] == "red"


def test_a_message_survives_a_redirect(client: LambdaClient) -> None:
    response = client.get("/add-message/", follow=True)

    assert response.text == "[Saved.]hello"
    assert response.redirect_chain == [(f"{client.event_source.prefix}/page/", 302)]


def test_a_relative_redirect_is_followed(client: LambdaClient) -> None:
    assert client.get("/relative/", follow=True).text == "hello"


def test_a_redirect_that_leaves_the_stage_is_rejected_by_the_gateway(
    client: LambdaClient,
) -> None:
    response: Any = client.get("/hard-coded/", follow=True)

    assert response.redirect_chain == [("/page/", 302)]
    assert client.get("/page/").status_code == 200
    if client.event_source.prefix:
        assert response.status_code == 403
        assert response.fault == f"/page/ is not under {client.event_source.prefix}"
    else:
        assert response.text == "hello"


def test_assert_redirects_requests_the_location_as_it_is(client: LambdaClient) -> None:
    status = 403 if client.event_source.prefix else 200
    response: Any = client.get("/hard-coded/")

    TestCase().assertRedirects(response, "/page/", target_status_code=status)
    assert response.client.get("/facts/").status_code == 200


def test_assert_redirects_resolves_a_relative_location(client: LambdaClient) -> None:
    response: Any = client.get("/relative/")

    TestCase().assertRedirects(response, "/page/")


@pytest.mark.parametrize(
    "location",
    [
        "https://other.example/page/", "http://other.example/page/",
        "//other.example/page/", "///other.example/page/", "/\\other.example/page/",
        "https://other.example", "//other.example?x=1", "https://other.example:443/page/",
        "https://HOST.other.example/page/", "https://HOST@other.example/page/",
        "https://HOST:8443/page/", "ftp://HOST/page/", "mailto:ada@HOST", "app:page/",
    ],
)  # fmt: skip
def test_a_redirect_to_another_host_is_not_followed(
    client: LambdaClient, settings: Any, location: str
) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    location = location.replace("HOST", client.event_source.host)
    query = {"to": location}
    refusal = f"serves {client.event_source.host} only"

    with pytest.raises(ValueError, match=refusal):
        client.get("/leave/", query, follow=True)
    response: Any = client.get("/leave/", query)
    with pytest.raises(ValueError, match=refusal):
        TestCase().assertRedirects(response, response.url)

    assert response.url == location
    TestCase().assertRedirects(response, location, fetch_redirect_response=False)
    assert response.client.get("/facts/").status_code == 200


@pytest.mark.parametrize(
    "location",
    [
        "https://HOST/page/", "//HOST/page/", "///HOST/page/", "https://HOST:443/page/",
        "https://SENT/page/", "http://SENT/page/", "/page/?next=//other.example/",
    ],
)  # fmt: skip
@pytest.mark.parametrize("always", [True, False])
def test_a_redirect_to_an_own_host_is_followed(location: str, always: bool) -> None:
    sent = {"host": "Shop.example.org"}
    client = LambdaClient("alb_multi", headers=sent if always else {})
    location = location.replace("HOST", client.event_source.host.upper())
    to = {"to": location.replace("SENT", "shop.example.org")}

    with override_settings(ALLOWED_HOSTS=["shop.example.org"]):
        response = client.get("/leave/", to, headers=sent, follow=True)

    assert response.text == "hello"


@pytest.mark.parametrize("location", ["https://HOST", "//HOST?x=1"])
def test_a_redirect_to_a_host_without_a_path_leads_to_its_root(
    client: LambdaClient, location: str
) -> None:
    to = {"to": location.replace("HOST", client.event_source.host)}

    response: Any = client.get("/leave/", to, follow=True)

    assert response.status_code == (403 if client.event_source.prefix else 404)


def test_the_host_of_a_requested_url_is_ignored(client: LambdaClient) -> None:
    facts = client.get("https://other.example/facts/").json()

    assert facts["host"] == client.event_source.host


def test_a_redirect_can_preserve_method_and_body(client: LambdaClient) -> None:
    response = client.post("/preserve/", "body", content_type="text/plain", follow=True)

    assert response.text == "POST body"


def test_a_redirect_loop_is_an_error(client: LambdaClient) -> None:
    with pytest.raises(RedirectCycleError):
        client.get("/loop/", follow=True)


@pytest.mark.parametrize(
    "method", ["get", "head", "options", "post", "put", "patch", "delete"]
)
def test_a_method_is_sent(client: LambdaClient, method: str) -> None:
    response = getattr(client, method)("/method/")

    assert response.text.partition(" ")[0] == (
        "" if method == "head" else method.upper()
    )


def test_a_file_is_uploaded(client: LambdaClient) -> None:
    file = SimpleUploadedFile("ü,ñ.bin", bytes(range(256)) * 100, "image/png")

    response = client.post("/upload/", {"title": "Änderung", "file": file})

    assert response.json() == {"title": "Änderung", "sum": sum(range(256)) * 100}


def test_json_is_sent_and_received(client: LambdaClient) -> None:
    response = client.post("/method/", {"a": "é"}, content_type="application/json")

    assert response.text == 'POST {"a": "\\u00e9"}'


@buffered
def test_streams_and_downloads_are_received(client: LambdaClient) -> None:
    assert client.get("/stream/").text == "one, zwölf"

    download = client.get("/download/")
    assert download.content == (Path(__file__).parent / "client_urls.py").read_bytes()
    assert "attachment" in download["Content-Disposition"]
    assert download["Content-Length"] == str(len(download.content))


def test_an_exception_of_a_view_is_raised(client: LambdaClient) -> None:
    with pytest.raises(RuntimeError, match="crash"):
        client.get("/crash/")


def test_an_exception_of_a_view_can_be_a_response(
    event_source: EventSource,
) -> None:
    client = LambdaClient(event_source, raise_request_exception=False)

    response: Any = client.get("/crash/")

    assert response.status_code == 500
    assert response.exc_info[0] is RuntimeError


def test_a_response_has_its_context_and_resolver_match(client: LambdaClient) -> None:
    response = client.get("/page/")

    assert response.context["word"] == "hello"
    assert response.resolver_match.view_name == "page"
    assert response.request["PATH_INFO"] == "/page/"


def test_cookies_are_sent_to_their_own_paths(client: LambdaClient) -> None:
    client.get("/cookies/")

    assert set(client.cookies) == {"here", "site", "host", "other"}
    assert client.get("/facts/").json()["cookies"] == {"site": "2", "host": "3"}


@buffered
def test_the_last_event_and_result_are_kept(client: LambdaClient) -> None:
    client.get("/page/")

    assert client.last_event["requestContext"]
    assert client.last_result["statusCode"] == 200


@buffered
def test_a_response_over_the_limit_is_an_error(client: LambdaClient) -> None:
    response = client.get("/large/")

    assert response.status_code == 500
    assert response.json()["error"] == "response_too_large"


def test_another_application_can_be_tested(
    event_source: EventSource, admin_user: Any
) -> None:
    client = LambdaClient(event_source, WSGIHandler())
    client.force_login(admin_user)

    assert client.get("/admin/").status_code == 200
    assert client.post("/admin/logout/").status_code == 403


def test_an_unknown_event_source_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"'rest' is not .* rest_stage"):
        LambdaClient("rest")


def test_an_event_source_can_be_customized() -> None:
    client = LambdaClient(
        replace(EVENT_SOURCES["rest_domain"], host="shop.example.org")
    )

    assert client.get("/facts/").json()["host"] == "shop.example.org"


class InsideTestCase(TestCase):
    """Each test is one transaction, which a request must not end."""

    client_class = LambdaClient
    user: Any

    @classmethod
    def setUpTestData(cls) -> None:
        cls.user = User.objects.create_superuser(**CREDENTIALS)

    @override_settings(ROOT_URLCONF="tests.aws_lambda.test_client.client_urls")
    def test_requests_share_the_transaction_of_the_test(self) -> None:
        before = connection.connection
        self.client.force_login(self.user)

        self.client.post("/admin/auth/group/add/", {"name": "Editors"})
        response = self.client.get(reverse("admin:auth_group_changelist"))

        self.assertContains(response, "Editors")
        self.assertTemplateUsed(response, "admin/change_list.html")
        assert connection.connection is before
        assert connection.in_atomic_block

    @override_settings(ROOT_URLCONF="tests.aws_lambda.test_client.client_urls")
    def test_redirects_can_be_asserted(self) -> None:
        response = self.client.get("/add-message/")

        self.assertRedirects(response, "/prod/page/")


def test_a_content_type_that_django_cannot_read_is_a_bad_request():
    client = LambdaClient("function_url")

    response = client.post("/", b"{}", "application/json; a*=c''d")

    assert response.status_code == 400
    assert response.wsgi_request is None
