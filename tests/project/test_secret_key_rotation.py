"""SECRET_KEY is replaced while environments with the old key still serve."""

import json
import subprocess
import sys
from itertools import pairwise
from typing import Any

import pytest
from django.test import Client, override_settings
from django.urls import reverse

from tests.services.install import PROJECT

OLD, NEW = "old-" * 15, "new-" * 15

# Each deployment: the key that signs, and the fallback keys.
BEFORE = (OLD, "")
ANNOUNCED = (OLD, NEW)
CHANGED = (NEW, OLD)
AFTER = (NEW, "")
DEPLOYMENTS = [BEFORE, ANNOUNCED, CHANGED, AFTER]

# Prints a signed value, and which of the arguments it accepts.
SIGN_AND_READ = """
import json, sys
from django.core import signing

def accepts(value):
    try:
        return signing.loads(value) == "session"
    except signing.BadSignature:
        return False

print(json.dumps([signing.dumps("session"), [accepts(v) for v in sys.argv[1:]]]))
"""


def run(deployment: tuple[str, str], *signed: str) -> tuple[str, list[bool]]:
    key, fallbacks = deployment
    output = subprocess.check_output(
        [sys.executable, "-c", SIGN_AND_READ, *signed],
        cwd=PROJECT,
        env={
            "DJANGO_SETTINGS_MODULE": "project.settings",
            "ENV_FILE": "/dev/null",
            "STAGE": "prod",
            "ALLOWED_HOSTS": "example.com",
            "DATABASE_URL": "postgres://u:p@db.example.com:5432/site",
            "SECRET_KEY": key,
            "SECRET_KEY_FALLBACKS": fallbacks,
        },
        text=True,
    )
    mine, accepted = json.loads(output.splitlines()[-1])
    return mine, accepted


def test_consecutive_deployments_accept_each_others_signatures():
    signed = [run(deployment)[0] for deployment in DEPLOYMENTS]

    accepted = [run(deployment, *signed)[1] for deployment in DEPLOYMENTS]

    assert accepted == [
        # signed before, announced, changed, after
        [True, True, False, False],
        [True, True, True, True],
        [True, True, True, True],
        [False, False, True, True],
    ]


def use(deployment: tuple[str, str]) -> Any:
    key, fallbacks = deployment
    return override_settings(
        SECRET_KEY=key, SECRET_KEY_FALLBACKS=[fallbacks] if fallbacks else []
    )


def is_logged_in(client: Client) -> bool:
    return client.get(reverse("admin:index")).status_code == 200


@pytest.mark.parametrize("deployments", [*pairwise(DEPLOYMENTS)])
@pytest.mark.parametrize("first", [0, 1])
def test_a_login_survives_alternating_deployments(
    client, admin_user, deployments, first
):
    here, there = deployments[first], deployments[1 - first]
    with use(here):
        client.force_login(admin_user, "django.contrib.auth.backends.ModelBackend")

    for deployment in (there, here, there):
        with use(deployment):
            assert is_logged_in(client)


def test_a_login_ends_without_the_fallback_key(client, admin_user):
    with use(BEFORE):
        client.force_login(admin_user, "django.contrib.auth.backends.ModelBackend")

    with use(AFTER):
        assert not is_logged_in(client)
