"""The links of a page, and the form in which two URLs are compared."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import (
    SplitResult,
    parse_qsl,
    quote,
    unquote,
    urlencode,
    urljoin,
    urlsplit,
)

SAFE_IN_PATH = "!$%&'()*+,/:;=@-._~"
# Their values differ from response to response.
CHANGING = {"_", "csrfmiddlewaretoken", "csrf_token", "v"}
# A hash or a random token of which nothing can be expected.
TOKEN = re.compile(r"[0-9a-f]{12,}|(?=\w*\d)[\w-]{24,}")
LOGOUT = re.compile(r"(^|[/_-])(log|sign)[_-]?(out|off)\b", re.IGNORECASE)
ASSET_RELATIONS = {
    "apple-touch-icon",
    "icon",
    "manifest",
    "modulepreload",
    "preload",
    "stylesheet",
}
PAGE_RELATIONS = {"alternate", "canonical", "next", "prev"}
SOURCES = {"audio", "embed", "img", "input", "script", "source", "track", "video"}


@dataclass
class Links:
    """
    What a page refers to, as absolute URLs.

    ``pages`` are links and forms that send GET, ``assets`` what a browser loads with
    the page, and ``actions`` the targets of the other forms.
    """

    pages: set[str] = field(default_factory=set)
    assets: set[str] = field(default_factory=set)
    actions: set[str] = field(default_factory=set)


class LinkParser(HTMLParser):
    """Collect the links of a page, as they are written."""

    def __init__(self) -> None:
        super().__init__()
        self.base = ""
        self.links = Links()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value.strip() for name, value in attrs if value}
        if tag == "base":
            self.base = self.base or values.get("href", "")
        elif tag in ("a", "area"):
            self._add(self.links.pages, values.get("href"))
        elif tag in ("iframe", "frame"):
            self._add(self.links.pages, values.get("src"))
        elif tag == "link":
            relations = set(values.get("rel", "").lower().split())
            if relations & ASSET_RELATIONS:
                self._add(self.links.assets, values.get("href"))
            elif relations & PAGE_RELATIONS:
                self._add(self.links.pages, values.get("href"))
        elif tag in SOURCES:
            self._add(self.links.assets, values.get("src"))
            self._add(self.links.assets, values.get("poster"))
            for candidate in values.get("srcset", "").split(", "):
                self._add(self.links.assets, candidate.split(" ")[0])
        elif tag == "form":
            sends_get = values.get("method", "get").lower() == "get"
            links = self.links.pages if sends_get else self.links.actions
            self._add(links, values.get("action"))

    def _add(self, links: set[str], value: str | None) -> None:
        if value:
            links.add(value)


def find_links(html: str, url: str) -> Links:
    """Return the links of the page at ``url`` to http and https, without fragments."""
    parser = LinkParser()
    parser.feed(html)
    base = join(url, parser.base) or url
    found = parser.links
    return Links(
        *(
            {url for link in links if (url := join(base, link))}
            for links in (found.pages, found.assets, found.actions)
        )
    )


def join(base: str, link: str) -> str:
    """Return an absolute URL without its fragment, or "" if it is not for HTTP."""
    try:
        url = urlsplit(urljoin(base, link))
        url.port  # noqa: B018  # raises ValueError
    except ValueError:
        return ""
    if url.scheme not in ("http", "https") or not url.hostname:
        return ""
    path = quote(url.path or "/", safe=SAFE_IN_PATH)
    query = quote(url.query, safe=f"{SAFE_IN_PATH}?")
    return url._replace(path=path, query=query, fragment="").geturl()


@dataclass(frozen=True)
class Place:
    """Where a site is: its host, and the path below which it serves its pages."""

    host: str
    prefix: str = ""

    def url(self, path: str) -> str:
        """Return the public URL of a path of the site."""
        return f"https://{self.host}{self.prefix}{path}"

    def has(self, url: str) -> bool:
        """Return whether a URL has the host of this site."""
        return self._is_own(urlsplit(url))

    def path(self, url: str) -> str | None:
        """
        Return the path and query of a URL as the site's URLconf sees it.

        None if the URL has another host, or is not below the prefix. A link to exactly
        the prefix is right: API Gateway serves the root of the site there.
        """
        parts = urlsplit(url)
        if not self._is_own(parts):
            return None
        path = parts.path or "/"
        if self.prefix and path == self.prefix:
            path = "/"
        elif not path.startswith(f"{self.prefix}/"):
            return None
        else:
            path = path.removeprefix(self.prefix)
        query = steady_query(parts.query)
        return f"{path}?{query}" if query else path

    def comparable(self, location: str, page: str) -> str:
        """
        Return the target of a redirect in the form that two sites have in common.

        ``page`` is the path that was requested. Random tokens are replaced.
        """
        if not location:
            return ""
        url = join(self.url(page), location)
        path = self.path(url)
        if path is None:
            # A path outside the prefix differs from the same path inside.
            return TOKEN.sub("…", url)
        parts = urlsplit(path)
        pairs = [
            (name, self._without_prefix(value))
            for name, value in parse_qsl(parts.query, keep_blank_values=True)
        ]
        text = unquote(parts.path) + (f"?{urlencode(pairs, safe='/')}" if pairs else "")
        return TOKEN.sub("…", text)

    def _without_prefix(self, value: str) -> str:
        for start in (self.url(""), self.prefix):
            if start and value.startswith(f"{start}/"):
                return value.removeprefix(start)
        return value

    def _is_own(self, url: SplitResult) -> bool:
        own = self.host.partition(":")[0].removeprefix("www.")
        return (url.hostname or "").removeprefix("www.") == own


def steady_query(query: str) -> str:
    """Return a query string without the parameters whose values change."""
    parts = query.split("&") if query else []
    return "&".join(part for part in parts if part.partition("=")[0] not in CHANGING)


def is_logout(path: str) -> bool:
    """Return whether a path may end the session: it is not requested."""
    return bool(LOGOUT.search(path.partition("?")[0]))
