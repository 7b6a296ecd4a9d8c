"""Database connections that survive a freeze."""

from typing import Any

from ..database.profiles import OPTIONS, PROFILES, check_options, check_profile
from . import variables
from .site import Site

POSTGRESQL = ("postgres", "psycopg", "postgis")
# Files, and Django's placeholder.
LOCAL = ("sqlite", "spatialite", "dummy")
TIMEOUTS = ("connect_timeout", "tcp_user_timeout")


def connections(site: Site) -> None:
    """
    Limit how long each database is waited for, and keep no connection.

    The engine stays, and so does TLS: the authority of RDS is not among those that
    systems trust, so to demand a verified host name would break a working site; a
    system check reports it. LAMBDA_DATABASE_PROFILE is "direct", or "proxy" behind
    RDS Proxy or pgbouncer.
    """
    profile = variables.read("LAMBDA_DATABASE_PROFILE") or "direct"
    check_profile(profile)
    if "DATABASES" in site.kept:
        return
    databases, changed = {}, []
    for alias, given in site.get("DATABASES").items():
        databases[alias] = given
        engine = str(given.get("ENGINE") or "dummy").lower()
        if any(word in engine for word in LOCAL):
            continue
        fit = configured(dict(given), engine, profile)
        if fit != given:
            databases[alias] = fit
            changed.append(f"{alias} ({', '.join(differences(given, fit))})")
    if not changed:
        return
    site.change(
        "DATABASES",
        databases,
        f"profile {profile}: {'; '.join(changed)}",
        "Lambda freezes an environment between requests, and the server does not wait: "
        "it closes the connection, or counts it against its limit.",
        'Set the value below apply(globals()), as in DATABASES["default"]'
        '["CONN_MAX_AGE"] = 60',
    )


def configured(database: dict[str, Any], engine: str, profile: str) -> dict[str, Any]:
    """Return a DATABASES entry for an engine over a network."""
    options = {**(database.get("OPTIONS") or {})}
    if any(word in engine for word in POSTGRESQL):
        # A pool's threads freeze, and afterwards it returns closed connections.
        options.pop("pool", None)
        check_options(options, profile)
        options = {name: OPTIONS[name] for name in TIMEOUTS} | options
        kept = PROFILES[profile]
    else:
        if "mysql" in engine:
            options = {"connect_timeout": OPTIONS["connect_timeout"]} | options
        # The other options of a profile are PostgreSQL's.
        names = ("CONN_MAX_AGE", "CONN_HEALTH_CHECKS")
        kept = {name: PROFILES[profile][name] for name in names}
    database |= kept
    if options:
        database["OPTIONS"] = options
    return database


def differences(before: Any, after: dict[str, Any]) -> list[str]:
    """Return the names of what differs, without values, which may be secrets."""
    old, new = before.get("OPTIONS") or {}, after.get("OPTIONS") or {}
    return [
        *(
            f"{name} = {after[name]}"
            for name in after
            if name != "OPTIONS" and before.get(name) != after[name]
        ),
        *(f"OPTIONS {name}" for name in new if name not in old),
        *(f"without OPTIONS {name}" for name in old if name not in new),
    ]
