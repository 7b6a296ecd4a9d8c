"""
The English of code, messages, docs and test names.

A message is searched for by people who do not know the project, in the words of
Django and AWS. Add a line to PHRASES for a wording that readers stumble over.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("apps", "benchmarks", "deploy", "docs", "local", "project", "tests")
SUFFIXES = {
    ".css",
    ".html",
    ".js",
    ".md",
    ".py",
    ".sh",
    ".svg",
    ".toml",
    ".yaml",
    ".yml",
}
SKIPPED = {
    "docs/decisions.md",  # what was written at its time
    "tests/test_style.py",
    "tests/services/postgresql_programs.py",  # the Unix user "nobody"
}


class Phrase(NamedTuple):
    """A regex in lower case, what to write instead, and a text that it finds."""

    pattern: str
    instead: str
    example: str


PHRASES = [
    Phrase(
        r"(?<![\s#*])(?<!there) is no (?!longer|more|less|better|worse|faster|slower|"
        r"larger|smaller|later|different)\w+",
        "is not a …",
        "LAMBDA_ORIGINS is no list",
    ),
    Phrase(r"\b(?:is|are) none (?:of|to)\b", "is not one of …", "it is none of SQS"),
    Phrase(
        r"\btells? (?:whether|of|which)\b", "Return whether …", "Tell whether it is"
    ),
    Phrase(r'"""(?:say|tell|let)\b', "Return …, Print …", '"""Say what runs."""'),
    Phrase(r"\btold\b", "logged, reported, returned, documented", "is told of it"),
    Phrase(r"\b(?:is|are|was|were|be) said\b", "is reported, is documented", "is said"),
    Phrase(r"\b(?:whoever|somebody|anybody)\b", "the caller, anyone", "Whoever asks"),
    Phrase(r"\bwhatever\b", "any …, regardless of …", "whatever happens"),
    Phrase(r"\bnobody\b", "no user, no process, …", "that nobody uses"),
    Phrase(r"\bdoors?\b", "event source", "through every door"),
    Phrase(r"\bmend(?:s|ed|ing)?\b", "fix", "mend it, then make deploy"),
    Phrase(r"\bobey(?:s|ed|ing)?\b", "run", "obey(order)"),
    Phrase(r"\b(?:spell|spells|spelt)\b", "write, format", "as SQS spells it"),
    Phrase(
        r"\b(?:(?:each|every|held|their) letters?|the letter)\b(?! of)",
        "message",
        "each letter",
    ),
    Phrase(r"\bdepartures?\b", "batch, callback", "class Departure"),
    Phrase(r"\bchances\b", "receives, retries", "one of its chances"),
    Phrase(r"\bharmless\b", "does nothing, is safe", "a harmless error"),
    Phrase(r"\bstrangers?\b", "other people, other hosts", "hosts of strangers"),
    Phrase(r"\bspoil(?:s|ed|t)?\b", "corrupt, invalidate", "a spoiled message"),
    Phrase(
        r"\b(?:patience|grace)\b(?! period)", "timeout, in seconds", "PATIENCE = 60"
    ),
    Phrase(
        r"\bsilence\b(?! (?:it|a|one|this)\b)", "interval, in seconds", "SILENCE = 60"
    ),
    Phrase(r"\btime was up\b", "Deadline exceeded in …", "The time was up in view"),
    Phrase(r"\bis not well\b", "failed its health check", "Version 13 is not well"),
    Phrase(r"\bown time\b", "after the visibility timeout", "at the queue's own time"),
    Phrase(r"\bfor ever\b", "forever", "redirects for ever"),
    Phrase(r"\bbut for\b", "except for", "read-only but for /tmp"),
    Phrase(r"\bwithout a word\b", "silently", "drops them without a word"),
    Phrase(r"\bin vain\b", "until the timeout", "it waits in vain"),
    Phrase(r"\bwill do(?=[.,;:)])", "is enough", "GNU make 3.81 will do."),
    Phrase(r"\bgo(?:es|ing)? on\b", "continues", "the site goes on"),
    Phrase(r"\b(?:strikes?|struck)\b", "interrupts", "the deadline strikes"),
    Phrase(r"\b(?:rings|ringing)\b", "in ALARM", "an alarm rings"),
    Phrase(r"\banew\b", "again, a new …", "it connects anew"),
    Phrase(r"\bby the clock\b", "on a schedule", "commands by the clock"),
    Phrase(r"\bwithout news\b", "not updated", "tasks without news"),
    Phrase(r"\bcut short\b", "interrupted", "an invocation cut short"),
]
# A space in a pattern spans lines, with the marks of comments or strings.
GAP = r"""[\s#*"']+"""
# Without the \b at its start, a regex begins with letters, which is ten times faster.
REGEXES = [
    (
        re.compile(phrase.pattern.removeprefix(r"\b").replace(" ", GAP)),
        phrase.pattern.startswith(r"\b"),
        phrase.instead,
    )
    for phrase in PHRASES
]


def files() -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each file that people read."""
    paths = [*ROOT.iterdir(), *(p for f in FOLDERS for p in (ROOT / f).rglob("*"))]
    for path in paths:
        name = path.relative_to(ROOT).as_posix()
        if (
            (path.suffix in SUFFIXES or path.name in ("Makefile", ".env.example"))
            and "node_modules" not in path.parts
            and name not in SKIPPED
        ):
            yield name, path.read_text()


def found(text: str) -> Iterator[tuple[int, str, str]]:
    """Yield line, words and replacement of each phrase in a text."""
    # Test names are sentences.
    text = re.sub(r"\btest_\w+", lambda name: name[0].replace("_", " "), text.lower())
    for regex, at_word, instead in REGEXES:
        for match in regex.finditer(text):
            if at_word and re.match(r"\w", text[match.start() - 1 : match.start()]):
                continue
            line = text.count("\n", 0, match.end()) + 1
            yield line, " ".join(match[0].split()), instead


def test_texts_are_in_plain_english():
    problems = [
        f"{name}:{line}: {words!r}: write {instead!r}"
        for name, text in files()
        for line, words, instead in found(text)
    ]

    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("phrase", PHRASES, ids=lambda phrase: phrase.instead)
def test_each_phrase_is_found(phrase: Phrase):
    assert phrase.instead in [instead for _, _, instead in found(phrase.example)]


def test_a_phrase_on_two_lines_is_found_in_the_second():
    assert [line for line, *_ in found('f"{name} is "\n    "no number"')] == [2]


def test_a_test_name_is_read_as_a_sentence():
    assert list(found("def test_a_door_is_closed():"))


@pytest.mark.parametrize(
    "text",
    [
        "there is no table",
        "There is\n# no table",
        "it is no longer used",
        "a dead-letter queue",
        "letters, digits and hyphens",
        "the letters of the name",
        "a grace period of 5 s",
        "Silence a check",
        "indoors",
        "amend the commit",
    ],
)
def test_plain_english_is_accepted(text: str):
    assert not list(found(text))
