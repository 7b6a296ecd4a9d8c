"""Why AWS cannot be asked: a sentence, and the command that helps."""

from pathlib import Path

import pytest
from botocore import exceptions
from botocore.exceptions import BotoCoreError, ClientError

from apps.aws_lambda.commands.remote.access import Barrier, barrier, login

CONFIG = """\
[default]
region = eu-central-1
[profile site]
sso_session = company
[profile role]
role_arn = arn:aws:iam::123456789012:role/admin
source_profile = site
[profile loop]
source_profile = loop
[profile signed-in]
login_session = arn:aws:iam::123456789012:user/ann
[profile keys]
aws_access_key_id = AKIA
"""


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The configuration of a developer who has logged in by single sign-on."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_DEFAULT_PROFILE", "GITHUB_ACTIONS"):
        monkeypatch.delenv(name, raising=False)
    config = tmp_path / "config"
    config.write_text(CONFIG)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_PROFILE", "site")
    return config


def refusal(code: str, message: str = "no") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "GetAlias")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (exceptions.NoCredentialsError(), "There are no AWS credentials"),
        (exceptions.ProfileNotFound(profile="site"), "config profile (site) could not"),
        (
            exceptions.UnauthorizedSSOTokenError(),
            "There is no AWS session: The SSO session associated with this profile",
        ),
        (
            exceptions.TokenRetrievalError(provider="sso", error_msg="it has expired"),
            "There is no AWS session: ",
        ),
        (refusal("ExpiredToken"), "The AWS session has expired (ExpiredToken)."),
        (refusal("ExpiredTokenException"), "The AWS session has expired"),
        (refusal("InvalidClientTokenId", "It is invalid."), "rejects the credentials"),
    ],
)
def test_credentials_are_explained_with_the_profile_and_the_page(
    error: BotoCoreError | ClientError, words: str
):
    found = barrier(error)

    assert found
    assert words in found.reason
    assert found.answered
    assert found.first.startswith("log in with `aws sso login --profile site` (docs/")
    assert "troubleshoot.md#credentials)" in found.first


def test_a_connection_is_explained_with_the_host():
    host = "lambda.eu-nowhere-1.amazonaws.com"
    cause = f"HTTPSConnection(host='{host}', port=443): Failed to resolve '{host}'"
    error = exceptions.EndpointConnectionError(
        endpoint_url=f"https://{host}/2015-03-31/functions", error=cause
    )

    assert barrier(error) == Barrier(
        f"No connection to {host}: Failed to resolve '{host}'.",
        "check the network of this machine, and that the region in the name of the "
        "host exists (docs/troubleshoot.md#network)",
        answered=False,
    )


def test_the_clock_of_the_machine_is_named():
    found = barrier(refusal("RequestTimeTooSkewed"))

    assert found
    assert found.first.startswith("set the clock of this machine, if it is wrong, or ")


def test_a_region_that_the_account_has_not_enabled_is_named():
    found = barrier(refusal("UnrecognizedClientException", "The token is invalid."))

    assert found
    assert found.first.endswith("unless the account has not enabled the region")


@pytest.mark.parametrize(
    "error", [refusal("AccessDenied"), exceptions.ParamValidationError(report="a")]
)
def test_other_errors_are_not_the_credentials(error: BotoCoreError | ClientError):
    assert barrier(error) is None


@pytest.mark.parametrize(
    ("profile", "words"),
    [
        ("site", "`aws sso login --profile site`"),
        ("role", "`aws sso login --profile site`"),
        ("signed-in", "`aws login --profile signed-in`"),
        ("keys", "renew the credentials of the profile keys"),
        ("loop", "renew the credentials of the profile loop"),
        (
            "absent",
            "name a profile of ~/.aws/config, which has default, site, role, loop, "
            "signed-in, keys, in AWS_PROFILE, or make one with `aws configure sso`",
        ),
    ],
)
def test_the_command_suits_the_profile(profile: str, words: str):
    assert words in login(profile)


def test_keys_of_the_shell_are_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")

    assert login().startswith("replace AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and ")
    # The profile of the command line wins over them.
    assert "aws sso login --profile site" in login("site")


def test_a_job_is_started_again(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")

    assert login().startswith("start the job again")


def test_a_file_that_cannot_be_read_is_ignored(config: Path):
    config.write_text("[broken\n")

    assert "`aws configure sso`" in login()
