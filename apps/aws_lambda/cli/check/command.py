"""
Prove that the site runs on Lambda as it did before, without AWS.

    django-on-lambda check [--crawl] [--event-source rest_stage]
        [--limit 300] [--timeout 30] [--ignore PATTERN]...
"""

import argparse
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from .. import ROOT
from ..arguments import add_root, parser_of
from ..configuration import Configuration
from ..report import DeployError, step, write, write_error
from ..site import SiteError, find_python
from .comparison import Difference
from .crawl import Crawl, Found
from .pages import get_pages
from .process import CheckError, SiteProcess
from .served import (
    MEDIA_BUCKET,
    PREPARED,
    ServedSite,
    Surroundings,
    choose_event_source,
    lambda_site,
    plain_site,
)

MAX_PATHS = 3
MAX_KINDS = 12
STAND_INS = {"databases": "SQLite", "caches": "Memory"}


def main(arguments: Sequence[str] | None = None, *, first: str = "") -> int:
    """
    Check the site and return the exit status: 1 if anything is wrong.

    ``first`` is a command that has to come before those that are printed at the end.
    """
    parser = parser_of("check", __doc__)
    parser.add_argument(
        "--crawl",
        action="store_true",
        help="compare all pages with those of the site without Lambda",
    )
    parser.add_argument(
        "--event-source", metavar="NAME", help="what invokes it (http_default)"
    )
    parser.add_argument(
        "--plain",
        metavar="MODULE",
        help="settings without Lambda, instead of those that it finds",
    )
    parser.add_argument(
        "--limit", type=positive, default=300, help="pages for each visitor (300)"
    )
    parser.add_argument(
        "--timeout", type=positive, default=30, help="seconds for a page (30)"
    )
    parser.add_argument(
        "--ignore",
        action="append",
        default=[],
        metavar="PATTERN",
        help="pages whose differences are right, /media/*, or IDs of system checks",
    )
    add_root(parser, ROOT)
    options = parser.parse_args(arguments)
    try:
        return Check(options, first).run()
    except (DeployError, SiteError) as error:
        write_error(str(error))
        return 1
    except KeyboardInterrupt:
        return 130


def positive(value: str) -> int:
    if not value.isdecimal() or not int(value):
        raise argparse.ArgumentTypeError(f"{value} is not a whole number above 0")
    return int(value)


class Check:
    """One run of the command. ``problems`` counts what has to be corrected."""

    def __init__(self, options: argparse.Namespace, first: str = "") -> None:
        self.options = options
        self.first = first
        self.root: Path = options.root.resolve()
        self.configuration = Configuration.read(self.root)
        self.python = find_python(self.root)
        self.source = choose_event_source(options.event_source, self.configuration)
        self.problems = 0
        self.blocking: list[str] = []

    def run(self) -> int:
        """Return the exit status. Raises CheckError if the site cannot start."""
        with tempfile.TemporaryDirectory(prefix="django-on-lambda-") as scratch:
            surroundings = Surroundings(
                self.root,
                self.python,
                self.configuration,
                Path(scratch).resolve(),
                self.source,
            )
            variables = surroundings.lambda_variables()
            # One with the settings as they are, and one that may change data.
            with (
                surroundings.process("settings", MEDIA_BUCKET | variables) as loaded,
                surroundings.process(PREPARED, variables) as prepared,
            ):
                plain = self.load(surroundings, loaded, prepared)
                self.check_system(loaded)
                user = self.copy_databases(prepared)
                pages = prepared.call(
                    "find_pages", {"configured": self.configuration.pages}
                )
                urls = prepared.call("find_urls")
            with lambda_site(surroundings, timeout=self.options.timeout) as on_lambda:
                self.check_pages(on_lambda, pages)
                if self.options.crawl:
                    with plain_site(
                        surroundings, plain, timeout=self.options.timeout
                    ) as site:
                        self.crawl(surroundings, site, on_lambda, urls, user)
        self.write_result()
        return 1 if self.problems else 0

    def load(
        self, surroundings: Surroundings, loaded: SiteProcess, prepared: SiteProcess
    ) -> str:
        """Load the settings, collect static files; return the plain settings' name."""
        name = self.configuration.settings
        with step(f"Settings {name}, with {self.python}"):
            isolation = surroundings.isolation(PREPARED, name)
            facts = loaded.call(
                "describe", {"settings": name, "static": isolation["static"]}
            )
            plain: str = self.options.plain or facts["plain"]
            self.blocking = facts["blocking"]
            write(f"  Python {facts['python']}, Django {facts['django']}")
            replaced = prepared.call("isolate", isolation)
            for kind, names in replaced.items():
                if names:
                    write(
                        f"  Not shown: what differs in the {kind} {', '.join(names)}. "
                        f"{STAND_INS[kind]} stands for them"
                    )
        with step("Static files"):
            collected = prepared.call("collect_static")
            if elsewhere := collected["elsewhere"]:
                write(f"  not collected: {elsewhere}")
            else:
                write(f"  {collected['files']} files")
        return plain

    def check_system(self, loaded: SiteProcess) -> None:
        """Run the system checks, which look for collected static files too."""
        with step("System checks"):
            messages = loaded.call("check_system")
            for message in messages:
                hint = f" {message['hint']}" if message["hint"] else ""
                write(f"  {message['id']}: {message['text']}{hint}")
                ignored = any(
                    fnmatchcase(message["id"], pattern)
                    for pattern in self.options.ignore
                )
                self.problems += message["ours"] and message["error"] and not ignored

    def copy_databases(self, prepared: SiteProcess) -> str:
        """Copy or create the databases; return a superuser's primary key, or ""."""
        with step("Database"):
            for alias, how in prepared.call("copy_databases").items():
                write(f"  {alias}: {how}")
            return self.create_user(prepared) if self.options.crawl else ""

    def create_user(self, prepared: SiteProcess) -> str:
        """Return the primary key of a superuser in the copy, or ""."""
        try:
            user: str | None = prepared.call("create_user")
        except CheckError as error:
            write(f"  {error}")
            self.problems += 1
            return ""
        if user is None:
            write("  The site has no users: pages are requested as anonymous only")
        return user or ""

    def check_pages(
        self, on_lambda: ServedSite, pages: Sequence[tuple[str, str]]
    ) -> None:
        title = f"Pages of {on_lambda.place.url('/')} through {self.source.name}"
        with step(title):
            for page in get_pages(on_lambda, pages):
                write(f"  {page}")
                if page.problem:
                    write(f"      {page.problem}")
                    self.problems += 1

    def crawl(
        self,
        surroundings: Surroundings,
        plain: ServedSite,
        on_lambda: ServedSite,
        urls: list[str],
        user: str,
    ) -> None:
        static = surroundings.scratch / "static"
        crawl = Crawl(plain, on_lambda, static, self.options.limit)
        urls = list(dict.fromkeys([*urls, *plain.urls()]))
        paths = [*self.configuration.pages, *urls]
        with step(f"{len(urls)} URLs without arguments, and their links, as anonymous"):
            crawl.visit("anonymous", "", paths)
        if user:
            with step("The same as a superuser"):
                crawl.visit("superuser", user, paths)
        with step(f"{len(crawl.static)} static files"):
            crawl.visit_static()
        self.write_found(crawl.found)

    def write_found(self, found: Found) -> None:
        """Print the differences by kind, and the numbers."""
        remaining = {
            page: [d for d in differences if not d.matches(self.options.ignore)]
            for page, differences in found.pages.items()
        }
        groups: defaultdict[tuple[str, str], dict[str, list[str]]] = defaultdict(dict)
        for (visitor, path), differences in remaining.items():
            for difference in differences:
                paths = groups[difference.what, difference.why]
                paths.setdefault(path, []).append(visitor)
        by_number = sorted(groups.items(), key=lambda group: -len(group[1]))
        for (what, why), paths in by_number[:MAX_KINDS]:
            write(f"{what}{f': {why}' if why else ''}")
            # A page without a visitor differs for all of them.
            texts = [
                path if len(visitors) > 1 else f"{path} ({visitors[0]})"
                for path, visitors in paths.items()
            ]
            write(f"    {listed(texts)}")
        if len(by_number) > MAX_KINDS:
            write(f"and {len(by_number) - MAX_KINDS} other kinds of differences")
        for path, reason in found.broken.items():
            write(f"Fails on both sites: {path}: {reason or 'status 500'}")
        if found.missing:
            write(f"Missing on both sites: {listed(found.missing)}")
        self.write_links_out(remaining)
        if found.skipped:
            write(
                f"{found.skipped} more pages were not requested. Raise --limit, which "
                f"is {self.options.limit}, to compare them."
            )
        different = sum(map(bool, remaining.values()))
        ignored = sum(map(bool, found.pages.values())) - different
        self.problems += different
        write(
            f"{len(remaining)} requests: {len(remaining) - different - ignored} equal, "
            f"{different} different, {ignored} ignored"
        )
        # Sites without their pages are equal, too.
        statuses = ", ".join(
            f"{s or '---'}: {n}" for s, n in sorted(found.statuses.items())
        )
        write(f"Pages by status: {statuses or 'none was requested'}")

    def write_links_out(
        self, remaining: dict[tuple[str, str], list[Difference]]
    ) -> None:
        """Print how many links leave the prefix, and what to do."""
        found = [
            difference
            for differences in remaining.values()
            for difference in differences
            if difference.link
        ]
        links = {difference.link for difference in found}
        pages = {difference.path for difference in found}
        if links:
            write(
                f"Links out of {self.source.prefix}: {len(links)}, on {len(pages)} "
                f"pages. Serve the site at the root of a host: an HTTP "
                "API without a stage in its path, or a domain."
            )

    def write_result(self) -> None:
        """Print the outcome, and what to do next."""
        for text in self.blocking:
            # Not a problem of this check: the deployment may have another value.
            write(f"Before you deploy, unless a variable changes it: {text}")
        if self.problems:
            again = " --crawl" if self.options.crawl else ""
            write(
                f"Problems: {self.problems}. Correct them, then run: "
                f"{self.configuration.program} check{again}"
            )
            return
        write("No problems. Next:")
        for line in next_steps(
            self.configuration, crawled=self.options.crawl, first=self.first
        ):
            write(f"  {line}")


def next_steps(
    configuration: Configuration, *, crawled: bool, first: str = ""
) -> list[str]:
    """
    Return the three commands that come next.

    ``first`` is what has to come before them, and ``crawled`` whether all pages are
    compared already.
    """
    steps = [first, "" if crawled else f"{configuration.program} check --crawl"]
    steps += [f"{configuration.program} {name}" for name in ("run", "package")]
    deploy = f"{configuration.program} deploy --stage dev"
    return [*[step for step in steps if step][:2], deploy]


def listed(paths: Sequence[str]) -> str:
    """Return the first paths, and the number of the others."""
    more = len(paths) - MAX_PATHS
    text = ", ".join(paths[:MAX_PATHS])
    return f"{text} and {more} more" if more > 0 else text
