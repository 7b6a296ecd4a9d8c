"""Two responses to the same request."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from apps.aws_lambda.cli.check.comparison import Answer, compare, host_refused
from apps.aws_lambda.cli.check.links import Place

HTML = "text/html; charset=utf-8"


@dataclass
class Side:
    """A site without a process."""

    place: Place
    facts: dict[str, Any] = field(default_factory=dict)


PLAIN = Side(Place("www.shop.example"), {})
ON_LAMBDA = Side(
    Place("h.example", "/prod"), {"allowed_hosts": ["h.example"], "host": "h.example"}
)


@pytest.mark.parametrize(
    ("plain", "answer"),
    [
        (
            Answer(200, content_type=HTML),
            Answer(200, content_type="TEXT/HTML;charset=UTF-8"),
        ),
        (Answer(500, error="ValueError: x"), Answer(503)),
        # The deadline of an invocation ends what is too slow on both sides.
        (Answer(0, error="no answer in 30 s"), Answer(504)),
        (Answer(302, "/a/", HTML), Answer(302, "/prod/a/", "")),
    ],
)
def test_two_answers_are_equal(plain: Answer, answer: Answer):
    assert compare("/page/", plain, answer, PLAIN, ON_LAMBDA) == []


@pytest.mark.parametrize(
    ("plain", "answer", "what", "why"),
    [
        (
            Answer(500, error="ValueError: x"),
            Answer(200),
            "status 500, on Lambda 200",
            "the plain site failed: ValueError: x",
        ),
        (
            Answer(200),
            Answer(502, fault="statusCode is '200'"),
            "status 200, on Lambda 502",
            "the event source rejected the result: statusCode is '200'",
        ),
        (
            Answer(200),
            Answer(0, error="no answer in 30 s"),
            "status 200, on Lambda no answer in 30 s",
            "",
        ),
        (
            Answer(200),
            Answer(301, "/prod/login/"),
            "status 200, on Lambda 301 to /prod/login/",
            "",
        ),
        (
            Answer(302, "/login/"),
            Answer(302, "/login/"),
            "Location /login/, on Lambda https://h.example/login/",
            "it leaves /prod, below which the stage serves",
        ),
        (
            Answer(200, content_type=HTML),
            Answer(200, content_type="text/html; charset=latin-1"),
            "content type text/html;charset=utf-8, on Lambda text/html;charset=latin-1",
            "",
        ),
    ],
)
def test_two_answers_differ_for_a_reason(
    plain: Answer, answer: Answer, what: str, why: str
):
    [difference] = compare("/page/", plain, answer, PLAIN, ON_LAMBDA)

    assert (difference.what, difference.why) == (what, why)


@pytest.mark.parametrize(
    ("allowed", "refused"),
    [
        (["*"], False),
        (["a.shop.example"], False),
        ([".shop.example"], False),
        ([None, "other.example", ".a.shop.example"], False),
        ([], True),
        ([None], True),
        (["shop.example", ".other.example"], True),
    ],
)
def test_a_host_is_refused_as_by_django(allowed: list[str | None], refused: bool):
    reason = host_refused({"host": "a.shop.example", "allowed_hosts": allowed})

    assert bool(reason) is refused
