"""
DATABASES entries for an execution environment, from one of two profiles.

An environment serves one request at a time. Lambda may freeze it after each, for
seconds or for hours, while the server and the network do not stop. docs/operate.md
has the measurements behind each value, and when to choose which profile.
"""

from ipaddress import ip_address
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured

Settings = dict[str, Any]

DJANGO_POSTGRESQL = "django.db.backends.postgresql"
# Django's backend, with rotated credentials and a bounded health check.
POSTGRESQL = f"{__package__}.postgresql"

PROFILES: dict[str, Settings] = {
    # To the server itself. A frozen environment holds no connection.
    "direct": {
        "CONN_MAX_AGE": 0,
        "CONN_HEALTH_CHECKS": True,
    },
    # Through RDS Proxy, or pgbouncer in transaction mode. Holding a connection is
    # cheap, and each transaction may run on another server connection.
    "proxy": {
        # The monotonic clock may stop during a freeze, so the age alone does not
        # detect a connection that died in it. The health check does.
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        # These cursors outlive their transaction, and so their server connection.
        "DISABLE_SERVER_SIDE_CURSORS": True,
    },
}

# https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
OPTIONS: Settings = {
    # Seconds to wait for a server that does not answer.
    "connect_timeout": 3,
    # Milliseconds until unacknowledged data ends the connection. Only Linux has it;
    # elsewhere libpq ignores it.
    "tcp_user_timeout": 2000,
    # Do not prepare statements automatically: the next transaction may run on another
    # server connection.
    "prepare_threshold": None,
}

# Where systems keep the certificates of the authorities they trust; the first file
# that exists is used. sslrootcert=system is for that, but the libpq in psycopg's wheel
# then looks in /usr/lib/psycopg-openssl, which does not exist, unless SSL_CERT_FILE is
# set.
ROOT_CERTIFICATE_FILES = (
    "/etc/pki/tls/certs/ca-bundle.crt",  # Amazon Linux, and so Lambda
    "/etc/ssl/certs/ca-certificates.crt",  # Debian
    "/etc/ssl/cert.pem",  # macOS, Alpine
)


def configure(
    database: Settings,
    *,
    profile: str,
    aws_iam_auth: bool = False,
    local: bool = False,
) -> Settings:
    """
    Return the DATABASES entry for a parsed database URL.

    ``database`` is what django-environ's ``env.db()`` returns, and ``profile`` a key of
    PROFILES. The values in ``database`` win over the profile, so the query string of
    DATABASE_URL can override each of them. TLS with a verified host name is required
    unless the server is on this machine or ``local`` is true. ``aws_iam_auth`` logs in
    with the function's role instead of a password. An engine other than PostgreSQL is
    returned unchanged. Raises ImproperlyConfigured for an unknown profile, and for
    options that do not work on Lambda.
    """
    check_profile(profile)
    if database.get("ENGINE") not in (DJANGO_POSTGRESQL, POSTGRESQL):
        return database
    given = database.get("OPTIONS", {})
    if given.get("pool"):
        raise ImproperlyConfigured(
            "The database has the option 'pool'. An execution environment uses one "
            "connection at a time, and a pool's threads freeze with it. Remove the "
            "option from DATABASE_URL, and share connections through RDS Proxy "
            "(docs/operate.md#the-database)."
        )
    check_options(given, profile)
    hosts = str(database.get("HOST", "")).split(",")
    tls = {} if local or all(map(on_this_machine, hosts)) else verified_tls()
    iam = {"aws_iam_auth": True} if aws_iam_auth else {}
    return {
        **PROFILES[profile],
        **database,
        "ENGINE": POSTGRESQL,
        "OPTIONS": {**OPTIONS, **tls, **iam, **given},
    }


def check_profile(profile: str) -> None:
    """Raise ImproperlyConfigured for an unknown profile."""
    if profile not in PROFILES:
        raise ImproperlyConfigured(
            f"Unknown database profile {profile!r}. Set LAMBDA_DATABASE_PROFILE to "
            f"{' or '.join(PROFILES)} (docs/capacity.md#connections)."
        )


def check_options(options: Settings, profile: str) -> None:
    """Raise ImproperlyConfigured for options that a profile does not work with."""
    if profile == "proxy" and options.get("options"):
        raise ImproperlyConfigured(
            "The database has the option 'options', which RDS Proxy and pgbouncer "
            "reject. Remove it from DATABASE_URL, and set its values for the role. "
            "For the statements run: manage.py lambda_database_setup"
        )


def on_this_machine(host: str) -> bool:
    """Return whether the host is a Unix socket, localhost or a loopback address."""
    if not host or host.startswith("/") or host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def verified_tls() -> Settings:
    """Return the options for TLS with a verified host name."""
    files = (file for file in ROOT_CERTIFICATE_FILES if Path(file).exists())
    return {"sslmode": "verify-full", "sslrootcert": next(files, "system")}
