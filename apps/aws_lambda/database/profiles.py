"""
Database settings for an execution environment: one of two named profiles.

It serves one request at a time and may be frozen after each, for seconds or for
hours, while the server and everything between goes on. docs/operate.md has the
figures behind each value, and says when to choose which profile.
"""

from ipaddress import ip_address
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured

Settings = dict[str, Any]

DJANGO_POSTGRESQL = "django.db.backends.postgresql"
# Django's backend, with credentials that are fetched again when they are refused
# and a health check that cannot hang.
POSTGRESQL = f"{__package__}.postgresql"

PROFILES: dict[str, Settings] = {
    # To the server itself: a frozen environment holds no connection.
    "direct": {
        "CONN_MAX_AGE": 0,
        "CONN_HEALTH_CHECKS": True,
    },
    # Through RDS Proxy, or pgbouncer in transaction mode, where a connection is
    # cheap to hold and each transaction may run on another one behind it.
    "proxy": {
        # The clock may stop while we are frozen, so an age alone does not notice a
        # connection that died meanwhile. The health check does.
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        # These cursors outlive their transaction and would be looked for elsewhere.
        "DISABLE_SERVER_SIDE_CURSORS": True,
    },
}

# https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
OPTIONS: Settings = {
    # Seconds to wait for a server that does not answer.
    "connect_timeout": 3,
    # Milliseconds to wait for the other side to acknowledge what was sent. Linux
    # only; elsewhere libpq ignores it.
    "tcp_user_timeout": 2000,
    # Never prepare a statement by itself: it would be looked for elsewhere.
    "prepare_threshold": None,
}

# The first that exists holds the authorities that the system trusts. libpq has
# "system" for that, but the one in psycopg's wheel then looks into a folder that no
# machine has, /usr/lib/psycopg-openssl, unless SSL_CERT_FILE is set.
ROOT_CERTIFICATES = (
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
    Return the DATABASES entry for what django-environ's ``env.db()`` returned.

    ``profile`` is a key of PROFILES. Whatever ``database`` holds wins over it, so
    the query string of DATABASE_URL can replace every single value. TLS with a
    verified host name is demanded unless the server is on this machine, or
    ``local`` says that this is a developer's. ``aws_iam_auth`` logs in with the
    function's role instead of a password. Other engines than PostgreSQL are
    returned as they are. Raises ImproperlyConfigured for an unknown profile, and
    for options that cannot work on Lambda.
    """
    if profile not in PROFILES:
        raise ImproperlyConfigured(
            f"There is no database profile {profile!r}: choose {' or '.join(PROFILES)}."
        )
    if database.get("ENGINE") not in (DJANGO_POSTGRESQL, POSTGRESQL):
        return database
    given = database.get("OPTIONS", {})
    if given.get("pool"):
        raise ImproperlyConfigured(
            "The database has the option 'pool'. An execution environment uses one "
            "connection at a time, and the threads of a pool freeze with it: remove "
            "the option, and use RDS Proxy to share connections."
        )
    if profile == "proxy" and given.get("options"):
        raise ImproperlyConfigured(
            "The database has the option 'options', which RDS Proxy and pgbouncer "
            "refuse. Set its values for the role instead: "
            "manage.py lambda_database_setup shows how."
        )
    hosts = str(database.get("HOST", "")).split(",")
    tls = {} if local or all(map(on_this_machine, hosts)) else verified_tls()
    iam = {"aws_iam_auth": True} if aws_iam_auth else {}
    return {
        **PROFILES[profile],
        **database,
        "ENGINE": POSTGRESQL,
        "OPTIONS": {**OPTIONS, **tls, **iam, **given},
    }


def on_this_machine(host: str) -> bool:
    """Tell whether this is a Unix socket, localhost or a loopback address."""
    if not host or host.startswith("/") or host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def verified_tls() -> Settings:
    """Return the options that encrypt, and verify the server's name."""
    files = (file for file in ROOT_CERTIFICATES if Path(file).exists())
    return {"sslmode": "verify-full", "sslrootcert": next(files, "system")}
