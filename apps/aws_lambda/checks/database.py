"""Database connections: no pool, health checks, timeouts and TLS."""

from collections.abc import Iterator
from typing import Any

from django.core.checks import CheckMessage
from django.core.checks import Error as CheckError
from django.core.checks import Warning as CheckWarning
from django.db import connections
from django.db.utils import load_backend

from ..aws.limits import API_GATEWAY_TIMEOUT_SECONDS
from ..database.profiles import on_this_machine


def databases() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield the alias, vendor and configuration of each database over a network."""
    for alias, database in connections.settings.items():
        vendor = load_backend(database["ENGINE"]).DatabaseWrapper.vendor
        if vendor not in ("sqlite", "unknown"):
            yield alias, vendor, database


def hosts(database: dict[str, Any]) -> str:
    """Return the host that libpq gets; several are separated by commas."""
    return str(database["HOST"] or database["OPTIONS"].get("host") or "")


def is_local(database: dict[str, Any]) -> bool:
    """Return whether the settings name only servers on this machine."""
    # A service is defined in a file that the check does not read.
    return "service" not in database["OPTIONS"] and all(
        map(on_this_machine, hosts(database).split(","))
    )


def remote_postgresql() -> Iterator[tuple[str, dict[str, Any]]]:
    for alias, vendor, database in databases():
        if vendor == "postgresql" and not is_local(database):
            yield alias, database["OPTIONS"]


def pool() -> Iterator[CheckMessage]:
    for alias, _, database in databases():
        if database["OPTIONS"].get("pool"):
            yield CheckError(
                f"DATABASES[{alias!r}]['OPTIONS']['pool'] is enabled: an execution "
                "environment serves one request at a time, so the pool is idle, and "
                "after a freeze it returns closed connections.",
                hint="Remove 'pool'. Use RDS Proxy or pgbouncer to share connections.",
                id="aws_lambda.E001",
            )


def health_checks() -> Iterator[CheckMessage]:
    for alias, _, database in databases():
        age = database["CONN_MAX_AGE"]
        if age != 0 and not database["CONN_HEALTH_CHECKS"]:
            yield CheckError(
                f"DATABASES[{alias!r}]['CONN_MAX_AGE'] is {age!r} without "
                "CONN_HEALTH_CHECKS: if the server closes the connection during a "
                "freeze, the next request fails.",
                hint="Set 'CONN_HEALTH_CHECKS': True, or 'CONN_MAX_AGE': 0.",
                id="aws_lambda.E002",
            )


def timeouts() -> Iterator[CheckMessage]:
    for alias, options in remote_postgresql():
        where = f"DATABASES[{alias!r}]['OPTIONS']"
        if not is_short(options.get("connect_timeout"), units=1):
            yield CheckWarning(
                f"{where} has no 'connect_timeout' below API Gateway's timeout of "
                f"{API_GATEWAY_TIMEOUT_SECONDS} s: a request to a server that does not "
                "answer hangs until Lambda's timeout.",
                hint="Set 'connect_timeout': 3 (seconds).",
                id="aws_lambda.W001",
            )
        if not is_short(options.get("tcp_user_timeout"), units=1000):
            yield CheckWarning(
                f"{where} has no 'tcp_user_timeout' below API Gateway's timeout of "
                f"{API_GATEWAY_TIMEOUT_SECONDS} s: a query on a connection lost "
                "during a freeze hangs until Lambda's timeout.",
                hint="Set 'tcp_user_timeout': 2000 (milliseconds).",
                id="aws_lambda.W002",
            )


def is_short(timeout: Any, *, units: int) -> bool:
    """Return whether a timeout, in units of 1/``units`` s, is below API Gateway's."""
    try:
        seconds = int(timeout) / units
    except (TypeError, ValueError):
        return False
    # To libpq and the kernel, 0 means no limit.
    return 0 < seconds < API_GATEWAY_TIMEOUT_SECONDS


def tls() -> Iterator[CheckMessage]:
    for alias, options in remote_postgresql():
        # https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNECT-SSLROOTCERT
        system = options.get("sslrootcert") == "system"
        mode = options.get("sslmode") or ("verify-full" if system else None)
        if mode != "verify-full":
            state = f"is {mode!r}" if mode else "is not set"
            yield CheckError(
                f"DATABASES[{alias!r}]['OPTIONS']['sslmode'] {state}: only "
                "'verify-full' verifies that the server is the one in HOST. With any "
                "other mode an attacker in the network can read the password.",
                hint="Set 'sslmode': 'verify-full', and 'sslrootcert' to the file with "
                "the certificates of the server's authority.",
                id="aws_lambda.E003",
            )
