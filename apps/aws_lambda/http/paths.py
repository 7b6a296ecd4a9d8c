"""Under which prefix of the public URL is the site mounted?"""

import re
from typing import NamedTuple

from ..events import Event
from .request import decode_path, wsgi_string

PARAMETER = re.compile(r"{(.+?)\+?}")


class Mount(NamedTuple):
    """
    What was found of the prefix in an event, as WSGI strings.

    ``taken`` is the prefix that stood before the path, "/prod" or nothing;
    ``public`` is how much of it the client sees; ``path`` is what follows.
    """

    taken: str
    public: str
    path: str

    def under(self, base_path: str) -> tuple[str, str]:
        """
        Return SCRIPT_NAME and PATH_INFO, given the base path if there is one.

        The base path is what the client sees. It is taken off the path only
        where nothing else was: below a stage, "/shop" is the site's own.
        Raises ValueError for a path that does not start with a slash.
        """
        path = self.path
        if not path.startswith("/"):
            raise ValueError("the path does not start with a slash")
        if not base_path:
            return self.public, path
        prefix = base_path.rstrip("/")
        if not self.taken:
            path = strip_prefix(path, prefix) or path
        return prefix, path


def strip_prefix(path: str, prefix: str) -> str | None:
    """Return the path below the prefix, or None: "/prod" is not in "/products"."""
    if path == prefix:
        return "/"
    return path[len(prefix) :] if path.startswith(prefix + "/") else None


def at_root(path: str) -> Mount:
    """Function URLs and load balancers have no prefix of their own."""
    return Mount("", "", decode_path(path))


def rest_api(event: Event) -> Mount:
    """
    A stage, or the base path of a custom domain, stands in the public path,
    before the resource that matched.
    """
    path = decode_path(event["path"])
    public = decode_path(event["requestContext"].get("path") or event["path"])
    if path != public and public.endswith(path):
        # The stage is in the one and not in the other. A base path is in both.
        return _after(public[: len(public) - len(path)], public)
    parameters = event.get("pathParameters") or {}
    resource = PARAMETER.sub(
        lambda match: parameters.get(match[1], match[0]),
        event.get("resource") or "{}",
    )
    below = public.rstrip("/")
    # API Gateway drops the last slash of a greedy parameter, and whether the
    # value is decoded is not documented.
    for tail in (wsgi_string(resource), decode_path(resource), path):
        tail = tail.rstrip("/")
        if below.endswith(tail):
            return _after(below[: len(below) - len(tail)], public)
    return Mount("", "", path)


def _after(prefix: str, public: str) -> Mount:
    prefix = prefix.rstrip("/")
    if prefix and not prefix.startswith("/"):
        raise ValueError("the prefix does not start with a slash")
    return Mount(prefix, prefix, public[len(prefix) :] or "/")


def http_api(event: Event, path: str) -> Mount:
    """
    An HTTP API decodes the path itself, and puts a named stage before it even
    where a custom domain hides the stage from the client.
    """
    context = event["requestContext"]
    path = wsgi_string(path)
    stage = context.get("stage") or "$default"
    prefix = f"/{stage}"
    below = strip_prefix(path, prefix)
    if below is None or stage == "$default":
        return Mount("", "", path)
    seen = ".execute-api." in (context.get("domainName") or "")
    return Mount(prefix, prefix if seen else "", below)
