"""Under which addresses the site answers: hosts, origins, prefix and scheme."""

from . import variables
from .site import Site, like


def debug(site: Site) -> None:
    """
    Turn DEBUG off.

    Several frameworks have it on by default. What the settings derived from it before
    stays as it is.
    """
    site.change(
        "DEBUG",
        False,
        "off",
        "Debug pages show settings and source code to every visitor.",
    )


def prefix(site: Site) -> None:
    """
    Let the handler set the prefix of the site, and not FORCE_SCRIPT_NAME.

    The gateway removes LAMBDA_BASE_PATH from the path of a request. Django would only
    add FORCE_SCRIPT_NAME to the URLs that it makes.
    """
    url = variables.public_url(site)
    forced = site.get("FORCE_SCRIPT_NAME")
    path = forced or (url.path if url else "")
    if not site.namespace.get("LAMBDA_BASE_PATH") and path.strip("/"):
        site.change(
            "LAMBDA_BASE_PATH",
            f"/{path.strip('/')}",
            f"the path of {'FORCE_SCRIPT_NAME' if forced else 'PUBLIC_URL'}",
            "The handler removes it from the path of each request.",
            "Set LAMBDA_BASE_PATH in your own settings",
        )
    site.change(
        "FORCE_SCRIPT_NAME",
        None,
        "removed",
        "LAMBDA_BASE_PATH takes its place: no event source removes a prefix.",
    )


def allowed_hosts(site: Site) -> None:
    """
    Add the hosts that the deployment knows.

    A list that is not empty proves nothing: sites list other hosts of theirs, and
    answer 400 to these. LAMBDA_HOSTS is a name of its own because a site may read a
    variable ALLOWED_HOSTS itself.
    """
    known = variables.split(variables.read("LAMBDA_HOSTS"))
    site.change(
        "LAMBDA_HOSTS",
        known or site.get("LAMBDA_HOSTS"),
        "set from the variable LAMBDA_HOSTS",
        "The hosts of the stage, which a system check compares with ALLOWED_HOSTS.",
        "Remove the variable",
    )
    url = variables.public_url(site)
    hosts = [*([str(url.hostname)] if url else []), *known]
    given = site.get("ALLOWED_HOSTS")
    added = [host for host in dict.fromkeys(hosts) if host not in given]
    site.change(
        "ALLOWED_HOSTS",
        like(given, [*given, *added]),
        f"added {', '.join(added)}",
        "The hosts of PUBLIC_URL and LAMBDA_HOSTS. Django answers 400 to others.",
    )


def trusted_origins(site: Site) -> None:
    """
    Trust forms from PUBLIC_URL.

    Behind CloudFront the Host header of a request is that of the API.
    """
    if not (url := variables.public_url(site)):
        return
    origin = f"{url.scheme}://{url.netloc}"
    given = site.get("CSRF_TRUSTED_ORIGINS")
    site.change(
        "CSRF_TRUSTED_ORIGINS",
        given if origin in given else like(given, [*given, origin]),
        f"added {origin}",
        "Behind CloudFront the Host header is not that of PUBLIC_URL, and Django would "
        "refuse the site's own forms.",
    )


def forwarded_host(site: Site) -> None:
    """Ignore X-Forwarded-Host, which no gateway of AWS removes or replaces."""
    site.change(
        "USE_X_FORWARDED_HOST",
        False,
        "off",
        "API Gateway passes on the X-Forwarded-Host of the client, who would choose "
        "the host of links in e-mails.",
    )


def plain_http(site: Site) -> None:
    """
    Serve plain HTTP where LAMBDA_URL_SCHEME says so: on a developer's machine.

    SECURE_PROXY_SSL_HEADER stays: the handler sets X-Forwarded-Proto itself, and a
    header that no gateway sends falls back to the scheme of the event.
    """
    if site.get("LAMBDA_URL_SCHEME") != "http":
        return
    for name in (
        "CSRF_COOKIE_SECURE",
        "SECURE_SSL_REDIRECT",
        "SESSION_COOKIE_SECURE",
    ):
        site.change(
            name,
            False,
            "off",
            "LAMBDA_URL_SCHEME is http: the site is served on this machine only.",
            "Unset the variable LAMBDA_URL_SCHEME",
        )
