"""
Replace the password in DATABASE_URL, while environments use the former one.

The new URL is stored first, then the manage function sets the password of the role.
Environments that run fetch the URL again when the server rejects their login.
"""

import secrets
from collections.abc import Callable
from urllib.parse import urlsplit

from ...commands.remote.errors import LOGIN_REJECTED
from ..release.stage import Stage
from ..report import DeployError, step, write
from .parameter import Parameter

COMMAND = "lambda_database_password"


def rotate(stage: Stage, run: Callable[[list[str]], int]) -> None:
    """
    Replace the password, or complete what an earlier call began.

    ``run`` runs a management command on the manage function, and returns its exit code.
    Raises DeployError.
    """
    url = Parameter(stage, "DATABASE_URL")
    current = url.read()
    if current is None:
        raise DeployError(f"The SSM parameter {url.name} does not exist.")
    with step("Log in with the stored password"):
        code = run([COMMAND])
    version = current.version
    if code == LOGIN_REJECTED:
        write("  an earlier call has stored a password that the role does not have yet")
    elif code:
        raise DeployError(f"{COMMAND} failed with exit code {code}; see above.")
    else:
        text = with_password(current.text, secrets.token_urlsafe(30))
        with step(f"Store a new password in {url.name}"):
            version = url.write(text)
    with step("Set the password of the role"):
        code = run([COMMAND, "--former", str(version - 1)])
    if code:
        raise DeployError(
            f"{COMMAND} failed with exit code {code}; see above. Until it succeeds, "
            "environments that start cannot log in."
        )
    write(f"The rotation of the password in {url.name} is complete.")


def with_password(url: str, password: str) -> str:
    """Return a URL with another password. Raises DeployError if it has none."""
    parts = urlsplit(url)
    login, _, host = parts.netloc.rpartition("@")
    user, colon, _ = login.partition(":")
    if not user or not colon:
        raise DeployError(
            "DATABASE_URL has no user with a password, which this could replace: "
            "docs/secrets.md#log-in-without-a-password"
        )
    return parts._replace(netloc=f"{user}:{password}@{host}").geturl()
