"""
Replace the password in a database URL, while environments use the former one.

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
VARIABLE = "DATABASE_URL"


def rotate(
    stage: Stage, run: Callable[[list[str]], int], variable: str = VARIABLE
) -> None:
    """
    Replace the password, or complete what an earlier call began.

    ``run`` runs a management command on the manage function, and returns its exit code.
    ``variable`` has the URL. Raises DeployError.
    """
    command = [COMMAND]
    if variable != VARIABLE:
        command += ["--variable", variable]
    url = Parameter(stage, variable)
    current = url.read()
    if current is None:
        raise DeployError(f"The SSM parameter {url.name} does not exist.")
    with step("Log in with the stored password"):
        code = run(command)
    version = current.version
    if code == LOGIN_REJECTED:
        write("  an earlier call has stored a password that the role does not have yet")
    elif code:
        raise DeployError(f"{COMMAND} failed with exit code {code}; see above.")
    else:
        text = with_password(current.text, secrets.token_urlsafe(30), variable)
        with step(f"Store a new password in {url.name}"):
            version = url.write(text)
    with step("Set the password of the role"):
        code = run([*command, "--former", str(version - 1)])
    if code:
        raise DeployError(
            f"{COMMAND} failed with exit code {code}; see above. Until it succeeds, "
            "environments that start cannot log in."
        )
    write(f"The rotation of the password in {url.name} is complete.")


def with_password(url: str, password: str, variable: str = VARIABLE) -> str:
    """Return a URL with another password. Raises DeployError if it has none."""
    parts = urlsplit(url)
    login, _, host = parts.netloc.rpartition("@")
    user, colon, _ = login.partition(":")
    if not user or not colon:
        raise DeployError(
            f"{variable} has no user with a password, which this could replace: "
            "docs/secrets.md#log-in-without-a-password"
        )
    return parts._replace(netloc=f"{user}:{password}@{host}").geturl()
