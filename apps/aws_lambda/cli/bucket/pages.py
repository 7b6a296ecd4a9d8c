"""
Which pages may send files: the questions that a browser asks first (CORS).

https://docs.aws.amazon.com/AmazonS3/latest/userguide/cors.html
"""

from collections.abc import Iterator

from ...aws.http import AwsError, Response
from .finding import OK, PROBLEM, UNKNOWN, Finding
from .target import Target

# The headers that the script sends and that need permission.
HEADERS = (
    "content-disposition",
    "content-type",
    "if-none-match",
    "x-amz-checksum-sha256",
)
ANOTHER_ORIGIN = "https://another-site.example"


def try_pages(target: Target) -> Iterator[Finding]:
    """Yield what a page of the site may do, and a page of another one."""
    yield preflight(target, "preflight", target.origin, "PUT", allowed=True)
    yield preflight(target, "preflight of another site", ANOTHER_ORIGIN, "PUT")
    yield preflight(target, "preflight of DELETE", target.origin, "DELETE")


def preflight(
    target: Target, item: str, origin: str, method: str, *, allowed: bool = False
) -> Finding:
    """Return whether a browser would send the request after this answer."""
    key = target.key("preflight")
    headers = {
        "origin": origin,
        "access-control-request-method": method,
        "access-control-request-headers": ",".join(HEADERS),
    }
    expected = f"{method} is {'allowed' if allowed else 'refused'}"
    try:
        url = target.bucket.link(key, 60, method=method)
        response = target.send("OPTIONS", url, headers)
    except AwsError as error:
        return Finding(item, UNKNOWN, expected, str(error))
    if response.status >= 500:
        return Finding(item, UNKNOWN, expected, str(response.status))
    reason = lacks(response, origin, method)
    found = f"{method} is {'refused' if reason else 'allowed'}"
    state = OK if found == expected else PROBLEM
    return Finding(item, state, expected, f"{found} {reason}".strip())


def lacks(response: Response, origin: str, method: str) -> str:
    """Return why a browser sends nothing after this answer, or "" if it does."""
    if response.status >= 300:
        return f"with status {response.status}"
    if not is_readable(response, origin):
        return f"without the origin {origin}"
    if method not in listed(response, "methods"):
        return "without the method"
    given = {name.lower() for name in listed(response, "headers")}
    # "*" is for requests without credentials, such as these.
    missing = [name for name in HEADERS if not {name, "*"} & given]
    return f"without the header {missing[0]}" if missing else ""


def is_readable(response: Response, origin: str) -> bool:
    """Return whether a page of the origin may read the response."""
    given = response.headers.get("access-control-allow-origin")
    return given in (origin, "*")


def listed(response: Response, name: str) -> list[str]:
    value = response.headers.get(f"access-control-allow-{name}", "")
    return [word.strip() for word in value.split(",")]
