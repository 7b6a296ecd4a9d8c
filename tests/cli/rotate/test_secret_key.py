"""SECRET_KEY is replaced step by step, against a local AWS."""

import time
from collections.abc import Iterator
from datetime import UTC, timedelta
from itertools import count
from typing import Any

import pytest
from django.core.signing import BadSignature, Signer

from apps.aws_lambda.cli.report import DeployError
from apps.aws_lambda.cli.rotate import command, secret_key
from apps.aws_lambda.cli.rotate.parameter import Parameter
from tests.cli.release.aliases import OLD, Aliases
from tests.services.aws import AWS, REGION

NAME = "/site/prod/secret-key"
FALLBACKS = f"{NAME}-fallbacks"
FIRST = "k" * 60
KEEP = timedelta(days=14)
# SECRET_KEY and SECRET_KEY_FALLBACKS of an environment.
Keys = tuple[str, list[str]]


class Site(Aliases):
    """
    A stage whose environments have the keys of its last release.

    ``running`` has those of each release. ``stop`` is the number of AWS calls, releases
    and waits after which an operator interrupts.
    """

    def __init__(self, aws: AWS) -> None:
        super().__init__(OLD)
        self.aws = aws
        self.configuration["provider"] = {
            "region": REGION,
            "environment": {
                "SECRET_KEY": f"ssm:{NAME}",
                "SECRET_KEY_FALLBACKS": f"ssm:{FALLBACKS}",
            },
        }
        self.running: list[Keys] = [(FIRST, [])]
        self.waits = 0
        self.stop = 1_000

    def client(self, service: str) -> Any:
        return self.aws.client(service)

    def call(self, service: str, operation: str, **parameters: Any) -> Any:
        self.count()
        return super().call(service, operation, **parameters)

    def count(self) -> None:
        self.stop -= 1
        if self.stop < 0:
            raise KeyboardInterrupt

    def stored(self) -> Keys:
        ssm = self.aws.client("ssm")
        found = {
            name: ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"][
                "Value"
            ]
            for name in (NAME, FALLBACKS)
        }
        return found[NAME], found[FALLBACKS].split(",")

    def release(self) -> None:
        self.count()
        if self.stored() != self.running[-1]:
            self.running.append(self.stored())
        self.count()

    def wait(self) -> None:
        self.count()
        self.waits += 1

    def rotate(self, keep: timedelta = KEEP) -> None:
        secret_key.rotate(self, self.release, self.wait, keep)


@pytest.fixture
def site() -> Iterator[Site]:
    with AWS() as aws:
        aws.client("ssm").put_parameter(Name=NAME, Value=FIRST, Type="SecureString")
        yield Site(aws)


def signer(keys: Keys) -> Signer:
    key, fallbacks = keys
    return Signer(key=key, fallback_keys=[*fallbacks])


def sign(keys: Keys) -> str:
    return signer(keys).sign("session")


def is_accepted(keys: Keys, signed: str) -> bool:
    try:
        signer(keys).unsign(signed)
    except BadSignature:
        return False
    return True


def assert_neighbours_accept_each_other(site: Site) -> None:
    for one, other in zip(site.running, site.running[1:], strict=False):
        assert is_accepted(one, sign(other))
        assert is_accepted(other, sign(one))


def test_environments_of_two_consecutive_releases_accept_each_other(site: Site):
    site.rotate()
    site.rotate(keep=timedelta())

    assert len(site.running) == 4
    assert_neighbours_accept_each_other(site)
    key, fallbacks = site.running[-1]
    assert key != FIRST
    assert {*fallbacks} == {key}


def test_the_former_key_is_accepted_until_its_signatures_have_expired(
    site: Site, capsys: pytest.CaptureFixture[str]
):
    site.rotate()
    assert "run this command again, which removes it." in capsys.readouterr().out
    site.rotate()

    assert is_accepted(site.running[-1], sign((FIRST, [])))
    assert len(site.running) == 3

    site.rotate(keep=timedelta())
    assert not is_accepted(site.running[-1], sign((FIRST, [])))


def test_the_new_key_signs_after_the_older_environments_have_ended(site: Site):
    def wait() -> None:
        assert site.running[-1][0] == FIRST
        assert len(site.running[-1][1]) == 2
        site.waits += 1

    secret_key.rotate(site, site.release, wait, KEEP)

    assert site.waits == 1
    assert site.running[-1][0] != FIRST


def test_an_interrupted_rotation_is_completed_by_the_same_command(site: Site):
    ssm = site.aws.client("ssm")
    for stop in count():
        ssm.delete_parameters(Names=[NAME, FALLBACKS])
        ssm.put_parameter(Name=NAME, Value=FIRST, Type="SecureString")
        site.running = [(FIRST, [])]
        site.stop = stop
        try:
            site.rotate()
            site.rotate(keep=timedelta())
        except KeyboardInterrupt:
            site.stop = 1_000
        else:
            break

        site.rotate()
        if FIRST in site.running[-1][1]:
            site.rotate(keep=timedelta())

        assert_neighbours_accept_each_other(site)
        key, fallbacks = site.running[-1]
        assert key != FIRST
        assert {*fallbacks} == {key}
    # Calls, releases and waits of a whole rotation.
    assert stop > 15


def test_the_former_key_stays_if_the_new_one_was_stored_but_not_released(site: Site):
    store = site.aws.client("ssm").put_parameter
    store(Name=FALLBACKS, Value=f"{FIRST},next", Type="SecureString")
    store(Name=NAME, Value="next", Type="SecureString", Overwrite=True)

    # The former key has signed until this release.
    site.rotate(keep=timedelta())

    assert site.running[-1] == ("next", [FIRST, "next"])


def test_an_interrupted_end_of_a_rotation_does_not_start_the_next(
    site: Site, capsys: pytest.CaptureFixture[str]
):
    site.rotate()
    new, _ = site.stored()
    calls = site.stop
    site.rotate(keep=timedelta())
    # The whole of the last step.
    for stop in range(calls - site.stop):
        site.aws.client("ssm").put_parameter(
            Name=FALLBACKS, Value=f"{FIRST},{new}", Type="SecureString", Overwrite=True
        )
        site.release()
        site.stop = stop
        with pytest.raises(KeyboardInterrupt):
            site.rotate(keep=timedelta())
        site.stop = 1_000

        site.rotate(keep=timedelta())

        assert site.stored() == (new, [new]), stop
        assert {site.running[-1][0], *site.running[-1][1]} == {new}
        assert "is complete" in capsys.readouterr().out


def test_a_rotation_that_has_just_ended_is_not_followed_by_another(
    site: Site, capsys: pytest.CaptureFixture[str]
):
    """The confirmation of the last write may be lost: then it is run once more."""
    site.rotate()
    site.rotate(keep=timedelta())
    before = site.stored()

    site.rotate()

    assert site.stored() == before
    assert "Another one can begin after " in capsys.readouterr().out


def test_a_parameter_of_the_operator_does_not_delay_the_first_rotation(site: Site):
    ssm = site.aws.client("ssm")
    ssm.put_parameter(Name=FALLBACKS, Value=FIRST, Type="SecureString")

    site.rotate()

    assert site.stored()[0] != FIRST


def test_another_variable_has_fallbacks_of_its_name(
    site: Site, capsys: pytest.CaptureFixture[str]
):
    site.configuration["provider"]["environment"] = {
        "DJANGO_SECRET_KEY": f"ssm:{NAME}",
        "DJANGO_SECRET_KEY_FALLBACKS": f"ssm:{FALLBACKS}",
    }
    for keep in (KEEP, timedelta()):
        secret_key.rotate(site, site.release, site.wait, keep, "DJANGO_SECRET_KEY")

    assert site.stored()[0] != FIRST
    assert "The rotation of DJANGO_SECRET_KEY is complete" in capsys.readouterr().out


def test_without_the_usual_variable_the_others_are_named(site: Site):
    site.configuration["provider"]["environment"] = {
        "DJANGO_SECRET_KEY": f"ssm:{NAME}",
        "STAGE": "prod",
    }

    with pytest.raises(DeployError) as raised:
        site.rotate()

    assert str(raised.value).endswith(
        "or name the variable that has the secret with --variable: DJANGO_SECRET_KEY"
    )


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/Los_Angeles"])
def test_times_are_those_of_utc(site: Site, monkeypatch: pytest.MonkeyPatch, zone: str):
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        found = Parameter(site, "SECRET_KEY").read()
    finally:
        monkeypatch.undo()
        time.tzset()

    assert found
    assert found.modified.tzinfo is UTC


def test_the_next_rotation_starts_after_the_last_is_released(
    site: Site, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(secret_key, "PAUSE", timedelta())
    site.rotate()
    site.rotate(keep=timedelta())
    first, _ = site.stored()

    site.rotate()

    key, fallbacks = site.stored()
    assert (key, fallbacks) == (fallbacks[1], [first, key])
    assert key != first


def test_no_key_is_printed(site: Site, capsys: pytest.CaptureFixture[str]):
    site.rotate()
    site.rotate(keep=timedelta())

    printed = capsys.readouterr()
    for key, fallbacks in site.running:
        for text in (key, *fallbacks):
            assert text not in printed.out + printed.err


def test_the_keys_are_encrypted_with_the_key_of_the_parameter(site: Site):
    ssm = site.aws.client("ssm")
    own = site.aws.client("kms").create_key()["KeyMetadata"]["KeyId"]
    ssm.put_parameter(
        Name=NAME, Value=FIRST, Type="SecureString", KeyId=own, Overwrite=True
    )

    site.rotate()

    found = {p["Name"]: p["KeyId"] for p in ssm.describe_parameters()["Parameters"]}
    assert found == {NAME: own, FALLBACKS: own}


@pytest.mark.parametrize("reference", ["", f"ssm:{FALLBACKS}:3", "secretsmanager:site"])
def test_a_variable_that_refers_to_no_parameter_is_refused(site: Site, reference: str):
    site.configuration["provider"]["environment"]["SECRET_KEY_FALLBACKS"] = reference

    with pytest.raises(DeployError) as refused:
        site.rotate()

    message = str(refused.value)
    assert f'SECRET_KEY_FALLBACKS of the stage prod is "{reference}"' in message
    assert f"refer to one: ssm:{FALLBACKS}" in message


def test_keys_of_another_origin_are_not_removed(site: Site):
    site.aws.client("ssm").put_parameter(
        Name=FALLBACKS, Value="one,two,three", Type="SecureString"
    )

    with pytest.raises(DeployError, match="3 keys that this command has not written"):
        site.rotate()


def test_a_rotation_waits_as_long_as_the_slowest_function_may_run(
    monkeypatch: pytest.MonkeyPatch, site: Site
):
    waited: list[float] = []
    monkeypatch.setattr("time.sleep", waited.append)
    site.configuration["functions"]["manage"]["timeout"] = 900

    command.wait_for_old_environments(site)

    assert waited == [900]
