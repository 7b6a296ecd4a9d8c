"""Connections that survive a freeze, are encrypted, and are few enough."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from django.core.checks import CheckMessage
from django.core.checks import Error as CheckError
from django.core.checks import Warning as CheckWarning
from django.db import connections
from django.db.utils import load_backend

from ..database.profiles import on_this_machine
from .lookup import number

# RDS and people need the rest: migrations, a shell, the other functions.
SHARE = 0.8


def databases() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield the alias, vendor and configuration of each database over a network."""
    for alias, database in connections.settings.items():
        vendor = load_backend(database["ENGINE"]).DatabaseWrapper.vendor
        if vendor not in ("sqlite", "unknown"):
            yield alias, vendor, database


def hosts(database: dict[str, Any]) -> str:
    """Return the host as libpq will be given it; several are joined by commas."""
    return str(database["HOST"] or database["OPTIONS"].get("host") or "")


def is_local(database: dict[str, Any]) -> bool:
    """Is the server on this machine, as far as the settings say?"""
    # A service is defined in a file that is not read here.
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
                f"DATABASES[{alias!r}]['OPTIONS']['pool'] is on: an execution "
                "environment serves one request at a time, so a pool sits idle, and "
                "after a freeze it hands out dead connections.",
                hint="Remove 'pool'. Share connections in RDS Proxy or pgbouncer.",
                id="aws_lambda.E001",
            )


def health_checks() -> Iterator[CheckMessage]:
    for alias, _, database in databases():
        age = database["CONN_MAX_AGE"]
        if age != 0 and not database["CONN_HEALTH_CHECKS"]:
            yield CheckError(
                f"DATABASES[{alias!r}]['CONN_MAX_AGE'] is {age!r} without "
                "CONN_HEALTH_CHECKS: a connection that died during a freeze fails "
                "the next request.",
                hint="Set 'CONN_HEALTH_CHECKS': True, or 'CONN_MAX_AGE': 0.",
                id="aws_lambda.E002",
            )


def timeouts() -> Iterator[CheckMessage]:
    for alias, options in remote_postgresql():
        where = f"DATABASES[{alias!r}]['OPTIONS']"
        if not bounds(options.get("connect_timeout"), units=1):
            yield CheckWarning(
                f"{where} has no 'connect_timeout' below the gateway's timeout: a "
                "server that does not answer holds a request until Lambda ends it.",
                hint="Set 'connect_timeout': 3 (seconds).",
                id="aws_lambda.W001",
            )
        if not bounds(options.get("tcp_user_timeout"), units=1000):
            yield CheckWarning(
                f"{where} has no 'tcp_user_timeout' below the gateway's timeout: a "
                "connection cut off during a freeze hangs until Lambda ends the "
                "environment.",
                hint="Set 'tcp_user_timeout': 2000 (milliseconds).",
                id="aws_lambda.W002",
            )


def bounds(timeout: Any, *, units: int) -> bool:
    """Does the timeout, in units of a second, end before the gateway's?"""
    try:
        seconds = int(timeout) / units
    except (TypeError, ValueError):
        return False
    gateway = number("LAMBDA_GATEWAY_TIMEOUT")
    # For libpq and for the kernel, 0 is no timeout of ours.
    return seconds > 0 and (gateway is None or seconds < gateway)


def tls() -> Iterator[CheckMessage]:
    for alias, options in remote_postgresql():
        # https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNECT-SSLROOTCERT
        system = options.get("sslrootcert") == "system"
        mode = options.get("sslmode") or ("verify-full" if system else None)
        if mode != "verify-full":
            state = f"is {mode!r}" if mode else "is not set"
            yield CheckError(
                f"DATABASES[{alias!r}]['OPTIONS']['sslmode'] {state}: only "
                "'verify-full' makes sure that the server is the one you named, so "
                "anybody on the way could read the password.",
                hint="Set 'sslmode': 'verify-full', and 'sslrootcert' to the file with "
                "the certificates of the server's authority.",
                id="aws_lambda.E003",
            )


def budget() -> Iterator[CheckMessage]:
    concurrency = number("LAMBDA_RESERVED_CONCURRENCY")
    limit = number("LAMBDA_DATABASE_MAX_CONNECTIONS")
    if not concurrency or not limit:
        return
    servers: dict[tuple[str, str], list[str]] = defaultdict(list)
    for alias, _, database in databases():
        servers[hosts(database), str(database["PORT"])].append(alias)
    for aliases in servers.values():
        wanted = concurrency * len(aliases)
        if wanted <= SHARE * limit:
            continue
        where = ", ".join(f"DATABASES[{alias!r}]" for alias in aliases)
        message = (
            f"LAMBDA_RESERVED_CONCURRENCY is {concurrency}, and each of these "
            f"environments may connect to {where}: {wanted} connections in all. "
            f"LAMBDA_DATABASE_MAX_CONNECTIONS is {limit}: "
        )
        hint = (
            f"Reserve at most {int(SHARE * limit) // len(aliases)}, or put RDS Proxy "
            "or pgbouncer in between and give its limit."
        )
        if wanted > limit:
            message += "under load the server refuses the rest, and requests fail."
            yield CheckError(message, hint=hint, id="aws_lambda.E004")
        else:
            message += "over 80 %, migrations and people may find the server full."
            yield CheckWarning(message, hint=hint, id="aws_lambda.W003")
