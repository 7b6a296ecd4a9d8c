"""The login throttle, by logins through the event sources."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser
from django.test import Client, RequestFactory

from apps.aws_lambda.test import EVENT_SOURCES, LambdaClient
from project.logins import client_network

pytestmark = pytest.mark.django_db

LIMIT = 3
WIDER = 10 * LIMIT
HERE = "203.0.113.7"


@pytest.fixture(autouse=True)
def _quick(settings: Any) -> None:
    settings.AXES_FAILURE_LIMIT = LIMIT
    # The site's own takes half a second for each attempt.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def owner(django_user_model: Any) -> Any:
    return django_user_model.objects.create_superuser("admin", password="password")


def log_in(
    password: str,
    name: str = "admin",
    address: str = HERE,
    client: Callable[..., Client] = LambdaClient,
    headers: dict[str, str] | None = None,
) -> int:
    """Return the status: 302 after a login, 200 after a failure, 429 if locked out."""
    form = {"username": name, "password": password, "next": "/admin/"}
    status: int = (
        client(REMOTE_ADDR=address)
        .post("/admin/login/", form, headers=headers)
        .status_code
    )
    return status


def fail(times: int, names: Iterable[str], addresses: Iterable[str]) -> set[int]:
    """Return the statuses of failed logins, with the next name and address each."""
    attempts = zip(range(times), names, addresses, strict=False)
    return {log_in("wrong", name, address) for _, name, address in attempts}


def always(value: str) -> Iterable[str]:
    while True:
        yield value


def each(pattern: str) -> Iterable[str]:
    for number in range(1, 1000):
        yield pattern.format(number)


# A name from an address


@pytest.mark.parametrize("name", EVENT_SOURCES)
def test_failed_logins_lock_the_user_out(owner: AbstractUser, name: str):
    client = LambdaClient(event_source=name, REMOTE_ADDR=HERE)

    def guess(password: str) -> Any:
        form = {"username": "admin", "password": password, "next": "/admin/"}
        return client.post("/admin/login/", form)

    for _ in range(LIMIT - 1):
        assert guess("wrong").status_code == 200
    response = guess("wrong")
    assert response.status_code == 429
    assert response.json()["error"] == "too_many_attempts"
    assert guess("password").status_code == 429


def test_a_user_is_not_locked_out_by_another_address(owner: AbstractUser):
    assert 429 in fail(WIDER + LIMIT, always("admin"), always("203.0.113.66"))

    assert log_in("password") == 302


def test_a_forged_address_does_not_reset_the_limit(owner: AbstractUser):
    statuses = [
        log_in("wrong", headers={"X-Forwarded-For": f"198.51.100.{i}"})
        for i in range(LIMIT + 1)
    ]

    assert statuses[-1] == 429


def test_another_browser_does_not_reset_the_limit(owner: AbstractUser):
    statuses = [
        log_in("wrong", headers={"User-Agent": f"browser {i}"})
        for i in range(LIMIT + 1)
    ]

    assert statuses[-1] == 429


# A name, and an address


def test_an_address_that_tries_many_names_is_locked_out(owner: AbstractUser):
    assert fail(WIDER - 1, each("user{}"), always(HERE)) == {200}
    assert log_in("password") == 302

    assert fail(1, ["another"], [HERE]) == {429}
    assert log_in("password") == 429
    assert log_in("password", address="203.0.113.8") == 302


def test_a_name_that_many_addresses_try_is_locked_out(owner: AbstractUser):
    assert fail(WIDER - 1, always("admin"), each("198.51.100.{}")) == {200}
    assert log_in("password") == 302

    assert fail(1, ["admin"], ["198.51.100.200"]) == {429}
    assert log_in("password") == 429


def test_a_login_to_an_account_of_ones_own_resets_no_other_name(
    owner: AbstractUser, django_user_model: Any
):
    django_user_model.objects.create_superuser("attacker", password="password")
    statuses = set()
    for number in range(WIDER):
        statuses |= fail(1, [f"user{number}"], [HERE])
        log_in("password", "attacker")

    assert 429 in statuses


def test_a_login_of_the_owner_resets_no_attacker(owner: AbstractUser):
    for _ in range(LIMIT):
        fail(1, ["admin"], ["203.0.113.66"])
        log_in("password")

    assert log_in("password", address="203.0.113.66") == 429


def test_a_login_resets_its_own_pair(owner: AbstractUser):
    for _ in range(LIMIT):
        assert log_in("wrong") == 200
        assert log_in("password") == 302


# IPv6


def test_the_addresses_of_a_network_count_as_one(owner: AbstractUser):
    assert 429 in fail(LIMIT, always("admin"), each("2001:db8:0:1:{}::1"))

    assert log_in("password", address="2001:db8:0:1:ffff::1") == 429
    assert log_in("password", address="2001:db8:0:2::1") == 302


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8::1", "2001:db8::"),
        ("", None),
    ],
)
def test_the_client_is_an_ipv4_address_or_an_ipv6_network(
    address: str, network: str | None
):
    request = RequestFactory().get("/", REMOTE_ADDR=address)

    assert client_network(request) == network


def test_clients_without_an_address_are_limited_together(owner: AbstractUser):
    statuses = [log_in("wrong", address="", client=Client) for _ in range(LIMIT)]

    assert statuses[-1] == 429
