"""
The API does what its OpenAPI document says: requests that schemathesis makes of it.

They pass through a function URL and the Lambda handler, as a client's do.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection, connections
from rest_framework.authtoken.models import Token

from apps.aws_lambda.cli import ROOT
from apps.aws_lambda.test import LambdaClient
from apps.documents.models import Document
from tests.documents.conftest import log_in, make_user
from tests.nightly import profile

DOCUMENT = Path(ROOT / "project/api/openapi.json")
PHASES = ("examples", "coverage", "fuzzing", "stateful")
ACCEPTED, REJECTED = "positive_data_acceptance", "negative_data_rejection"
# What the document cannot say: which tokens there are, that a multipart body has text
# only, the limit of a size, and that the names of parts are numbers.
LEFT_OUT = {
    "createDocument": [ACCEPTED, REJECTED],
    "startUpload": [ACCEPTED],
    "signParts": [ACCEPTED],
}


@contextmanager
def application(
    client: LambdaClient, identity: dict[str, str], statuses: Counter[int]
) -> Iterator[Callable[..., Iterable[bytes]]]:
    """Return a WSGI application: the site as a user with these headers sees it."""
    mine = connections["default"]

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        # Called in a thread of schemathesis, one at a time.
        connections["default"] = mine
        # Its own client does not unpack a body.
        environ.pop("HTTP_ACCEPT_ENCODING", None)
        sent = {"REMOTE_ADDR": "203.0.113.7", **environ, **identity}
        response: Any = client.handle(sent)
        statuses[response.status_code] += 1
        phrase = HTTPStatus(response.status_code).phrase
        start_response(f"{response.status_code} {phrase}", [*response.items()])
        return [response.content]

    connection.inc_thread_sharing()
    try:
        yield answer
    finally:
        connection.dec_thread_sharing()


def requests(
    identity: dict[str, str], examples: int, *phases: str, enforce_csrf: bool = False
) -> Counter[int]:
    """Fail with what differs from the document; return how often a status was sent."""
    # Only the worker that runs the test loads it.
    import schemathesis
    from schemathesis.engine import from_schema

    client = LambdaClient(
        "function_url",
        enforce_csrf_checks=enforce_csrf,
        raise_request_exception=False,
    )
    configuration = {
        "continue-on-failure": True,
        # No folder in that of the project, nor what another worker has found.
        "cache": {"enabled": False},
        "generation": {
            "max-examples": examples,
            "deterministic": profile() == "default",
            # No text has one, which no schema says: see the odd requests.
            "allow-x00": False,
            # The application adds those of the user.
            "with-security-parameters": False,
        },
        # The test of visitors has it.
        "checks": without("ignored_auth"),
        "phases": {phase: {"enabled": phase in phases} for phase in PHASES},
        "operations": [
            {"include-operation-id": name, "checks": without(*checks)}
            for name, checks in LEFT_OUT.items()
        ],
    }
    statuses: Counter[int] = Counter()
    with application(client, identity, statuses) as app:
        schema = schemathesis.openapi.from_dict(
            json.loads(DOCUMENT.read_text()),
            config=schemathesis.Config.from_dict(configuration),
        )
        schema.app = app
        found = {text for event in from_schema(schema).execute() for text in bad(event)}
    assert not found, "\n\n".join(sorted(found))
    return statuses


def without(*checks: str) -> dict[str, Any]:
    return {check: {"enabled": False} for check in checks}


def bad(event: Any) -> Iterator[str]:
    """Return what failed, each with a request that shows it."""
    from schemathesis.engine import Status, events

    if isinstance(event, events.NonFatalError):
        yield str(event.info)
    if isinstance(event, events.ScenarioFinished):
        for checks in event.recorder.checks.values():
            for check in checks:
                if check.status == Status.FAILURE and check.failure_info:
                    failure = check.failure_info
                    yield (
                        f"{event.recorder.label} {check.name}: {failure.failure}\n"
                        f"{failure.code_sample}"
                    )


# Who and what


def program(user: Any) -> dict[str, str]:
    token = Token.objects.create(user=user)
    return {"HTTP_AUTHORIZATION": f"Bearer {token.key}"}


def session(user: Any) -> dict[str, str]:
    cookie = log_in(user).cookies[settings.SESSION_COOKIE_NAME]
    return {"HTTP_COOKIE": f"{cookie.key}={cookie.value}"}


@pytest.fixture
def documents(ann: Any, add: Callable[..., Document]) -> list[Document]:
    return [add(owner) for owner in (ann, ann, None)]


@pytest.mark.usefixtures("aws", "documents")
def test_the_api_does_what_its_document_says(ann: Any):
    statuses = requests(program(ann), 3, "coverage", "stateful")

    # They get everywhere.
    assert {200, 201, 204, 302, 400, 404, 405, 415} <= set(statuses)


@pytest.mark.usefixtures("aws", "documents")
def test_a_visitor_gets_a_401_for_each_request(db: None):
    statuses = requests({}, 1, "coverage")

    # 404 is the answer to an id that is not a number.
    assert set(statuses) == {401, 404}


@pytest.mark.nightly("a thousand requests for each kind of user")
@pytest.mark.usefixtures("aws", "documents")
@pytest.mark.parametrize(
    "who",
    ["a program", "a reader", "a superuser", "a session without a CSRF token"],
)
def test_the_api_does_what_its_document_says_at_length(ann: Any, who: str):
    match who:
        case "a program":
            identity = program(ann)
        case "a reader":
            identity = session(make_user("reader", "view_document"))
        case "a superuser":
            identity = session(make_user("root", is_superuser=True))
        case _:
            identity = session(ann)

    requests(identity, 60, *PHASES, enforce_csrf="without" in who)
