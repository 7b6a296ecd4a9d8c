"""Request every page of two sites, and follow their links."""

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from .comparison import Difference, compare
from .links import Links, Place, find_links, is_logout, join
from .served import ServedSite

# How many links a page may be away from a URL of the URLconf.
DEPTH = 2
# Of one path. Sort orders and filters have too many combinations.
MAX_QUERIES = 5


@dataclass
class Found:
    """
    What a crawl has found.

    ``pages`` has the differences of each request, by visitor and path. ``broken`` has
    the pages that failed on both sites, with the exceptions, and ``missing`` the
    static files that neither has. ``skipped`` is the number of pages over the limit,
    and ``statuses`` how often a page had each status on Lambda.
    """

    pages: dict[tuple[str, str], list[Difference]] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    skipped: int = 0
    statuses: Counter[int] = field(default_factory=Counter)


@dataclass
class Queue:
    """Paths to request, nearest first, each once."""

    limit: int
    waiting: deque[tuple[str, int]] = field(default_factory=deque)
    seen: set[str] = field(default_factory=set)
    queries: dict[str, int] = field(default_factory=dict)

    def add(self, path: str, depth: int) -> None:
        """Add a path unless it was added before, or may end the session."""
        name, _, query = path.partition("?")
        if path in self.seen or is_logout(path):
            return
        if query:
            number = self.queries[name] = self.queries.get(name, 0) + 1
            if number > MAX_QUERIES:
                return
        self.seen.add(path)
        self.waiting.append((path, depth))

    def __iter__(self) -> Iterator[tuple[str, int]]:
        """Yield paths and depths, up to the limit; more may be added meanwhile."""
        for _ in range(self.limit):
            if not self.waiting:
                return
            yield self.waiting.popleft()


class Crawl:
    """
    Compare a plain site with the same site on Lambda.

    ``static`` is the folder of the collected static files, and ``limit`` the largest
    number of pages for each visitor.
    """

    def __init__(
        self,
        plain: ServedSite,
        on_lambda: ServedSite,
        static: Path,
        limit: int,
    ) -> None:
        self.plain = plain
        self.on_lambda = on_lambda
        self.folder = static
        self.limit = limit
        self.found = Found()
        self.static: dict[str, str] = {}

    def visit(self, visitor: str, user: str, paths: Iterable[str]) -> None:
        """Request the paths as a visitor, and what they link to. Raises CheckError."""
        queue = Queue(self.limit)
        for path in paths:
            queue.add(path, 0)
        for path, depth in queue:
            self.plain.send(path, user)
            self.on_lambda.send(path, user)
            before, after = self.plain.receive(), self.on_lambda.receive()
            self.found.statuses[after.status] += 1
            differences = compare(path, before, after, self.plain, self.on_lambda)
            if before.failed and after.failed:
                self.found.broken[path] = before.error or after.error
            place = self.on_lambda.place
            links = find_links(after.html, place.url(path))
            if after.location:
                # A redirect is as near as what it leads to.
                self._add(queue, place, {after.location}, path, depth)
            differences += outside(links, place, path)
            self.found.pages[visitor, path] = differences
            self._keep_static(links, path)
            if depth < DEPTH:
                self._add(queue, place, links.pages, path, depth + 1)
                of_plain = find_links(before.html, self.plain.place.url(path))
                self._add(queue, self.plain.place, of_plain.pages, path, depth + 1)
            # They are requested, but what they link to is not.
            others = {asset for asset in links.assets if not self._is_static(asset)}
            self._add(queue, place, others, path, DEPTH)
        self.found.skipped += len(queue.waiting)

    def visit_static(self) -> None:
        """Request the static files of all visited pages from the site on Lambda."""
        for path, page in list(self.static.items())[: self.limit]:
            self.found.pages["static files", path] = self._compare_static(path, page)

    def _compare_static(self, path: str, page: str) -> list[Difference]:
        answer = self.on_lambda.get(path)
        if 200 <= answer.status < 400:
            return []
        collected = self._collected(path)
        # Both a web server in front of the site and its own application would fail.
        if not collected and self.plain.get(path).status != 200:
            self.found.missing.append(path)
            return []
        what = f"missing asset, {answer.error or f'status {answer.status}'}"
        why = (
            "it was collected, but is not served. WhiteNoiseMiddleware must be in "
            "MIDDLEWARE and read STATIC_ROOT"
            if collected
            else "collectstatic with the settings for Lambda does not collect it"
        )
        return [Difference(path, what, f"{why}. It is on {page}")]

    def _collected(self, path: str) -> bool:
        name = self._static_name(path)
        return bool(name) and (self.folder / str(name)).is_file()

    def _add(
        self, queue: Queue, place: Place, urls: Iterable[str], page: str, depth: int
    ) -> None:
        from_page = (find_target(place, url, page) for url in urls)
        for path in sorted(path for path in from_page if path is not None):
            if self._static_name(path) is None:
                queue.add(path, depth)

    def _keep_static(self, links: Links, page: str) -> None:
        for url in sorted(links.assets | links.pages):
            if self._is_static(url) and (path := self.on_lambda.place.path(url)):
                self.static.setdefault(path.partition("?")[0], page)

    def _is_static(self, url: str) -> bool:
        path = self.on_lambda.place.path(url)
        return path is not None and self._static_name(path) is not None

    def _static_name(self, path: str) -> str | None:
        """Return a path relative to STATIC_URL, or None if it is not below it."""
        url = self.on_lambda.facts["static_url"]
        start = f"/{url.lstrip('/')}"
        if not url or "//" in url or start == "/" or not path.startswith(start):
            return None
        return unquote(path.partition("?")[0].removeprefix(start))


def find_target(place: Place, url: str, page: str) -> str | None:
    """Return the path of a link or a Location in the site, or None outside of it."""
    return place.path(join(place.url(page), url))


def outside(links: Links, place: Place, page: str) -> list[Difference]:
    """Return the links of a page to the host of the site that leave its prefix."""
    if not place.prefix:
        return []
    urls = links.pages | links.assets | links.actions
    return [
        Difference(page, f"link out of {place.prefix} to {link}", link=link)
        for url in sorted(urls)
        if place.has(url) and place.path(url) is None
        for link in [urlsplit(url).path]
    ]
