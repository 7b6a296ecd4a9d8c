"""A few pages of the site on Lambda, and what each should answer."""

from collections.abc import Iterable
from dataclasses import dataclass

from .comparison import Answer, host_refused
from .served import ServedSite


@dataclass(frozen=True)
class Page:
    """A page with its answer; ``problem`` is a sentence, or "" if it is right."""

    name: str
    path: str
    answer: Answer
    problem: str

    def __str__(self) -> str:
        status = self.answer.status or "---"
        target = f" -> {self.answer.location}" if self.answer.location else ""
        return f"{status} {self.path}{target} ({self.name})"


def get_pages(site: ServedSite, pages: Iterable[tuple[str, str]]) -> list[Page]:
    """Request pages, given by name and path, from the site on Lambda."""
    found = []
    for name, path in pages:
        if "//" in path.partition("?")[0]:
            continue  # static files on another host
        answer = site.get(path)
        found.append(Page(name, path, answer, problem(site, name, path, answer)))
    return found


def problem(site: ServedSite, name: str, path: str, answer: Answer) -> str:
    """Return what is wrong with an answer and what to do, or ""."""
    if answer.fault:
        return f"The event source rejected the result of the function: {answer.fault}."
    if not answer.status:
        return f"There is no response: {answer.error}."
    if answer.status == 400 and (reason := host_refused(site.facts)):
        return f"Django rejected the request: {reason}."
    if answer.status >= 500:
        return f"The page failed: {answer.error or 'the site logged no exception'}."
    if name == "static file" and answer.status != 200:
        return (
            "The file was collected, but is not served. Add "
            "whitenoise.middleware.WhiteNoiseMiddleware to MIDDLEWARE after "
            "SecurityMiddleware, and keep STATIC_ROOT as LAMBDA_STATIC_ROOT sets it."
        )
    if answer.status == 404:
        return (
            "The site has no such page. Name pages that it has in `pages` of "
            "django-on-lambda.toml."
        )
    if answer.location:
        if site.place.comparable(answer.location, path) == path:
            return (
                "It redirects to itself. If SECURE_SSL_REDIRECT is on, "
                "SECURE_PROXY_SSL_HEADER may name a header that no gateway sends."
            )
        if site.place.comparable(answer.location, path).startswith(
            f"https://{site.place.host}/"
        ):
            return (
                f"It redirects out of {site.place.prefix}, below which the stage "
                "serves. Serve the site at the root of a host, or reverse its URLs."
            )
    return ""
