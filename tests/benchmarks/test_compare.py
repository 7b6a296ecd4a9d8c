"""The comparison with other adapters: its page, and the harness that measures."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from apps.aws_lambda.cli import ROOT
from apps.aws_lambda.test.wire import Response
from benchmarks.compare import build, chart, cold, gate, report, warm
from benchmarks.compare.process import (
    FIRST,
    Target,
    WrongAnswer,
    check,
    fingerprint,
    send,
)
from benchmarks.compare.variants import (
    ADAPTERS,
    AS_PACKAGED,
    COLD,
    LEANEST,
    MAIN,
    NONE,
    OURS,
    STALE,
    VALID,
    WARM,
    WITHOUT_ACCESS_LINE,
    Variant,
)
from tests.services.install import Unavailable
from tests.services.postgresql import PostgreSQL

RESULTS: dict[str, Any] = json.loads(report.RESULTS.read_text())


def test_the_page_and_its_charts_are_made_from_the_results():
    made = report.files(RESULTS, report.PAGE.read_text())

    assert [path for path, text in made.items() if path.read_text() != text] == []


def test_the_results_are_encoded_as_they_are_written():
    assert report.encode(RESULTS) == report.RESULTS.read_text()


def test_the_results_have_every_variant():
    # A quick run leaves out the larger sites.
    always = {variant.name for variant in (*MAIN, *AS_PACKAGED)}
    assert always <= set(RESULTS["cold"]) <= {variant.name for variant in COLD}
    for samples in RESULTS["warm"].values():
        assert set(samples) == {variant.name for variant in WARM}


def test_a_page_without_a_marker_is_refused():
    with pytest.raises(ValueError, match="<!-- cold -->"):
        report.files(RESULTS, report.PAGE.read_text().replace("<!-- cold -->", ""))


def test_a_ratio_pairs_the_samples_of_a_round():
    # The second round was on a busy machine.
    found = report.ratio([2.0, 20.0, 2.4], [1.0, 10.0, 1.0])

    assert str(found) == "2.00 (2.00 to 2.20)"


def test_what_costs_a_peer_less_is_on_the_page():
    results = json.loads(report.RESULTS.read_text())
    ours = results["cold"][OURS.name]["cpu_ms"]
    results["cold"][LEANEST.name]["cpu_ms"] = [value / 2 for value in ours]
    results["instructions_m"] = {OURS.name: 1000, LEANEST.name: 900}

    behind = report.behind(results)
    for words, ratio in (("processor time", 0.5), ("instructions", 0.9)):
        assert f"- {words} of a cold start: {LEANEST.name} {ratio:.2f}" in behind


def test_fewer_rounds_are_marked_as_preliminary():
    run = {**RESULTS["run"], "rounds": report.ENOUGH_ROUNDS}
    complete = report.run_lines({"run": run})
    preliminary = report.run_lines({"run": {**run, "rounds": 3}})

    assert "Preliminary" not in " ".join(complete)
    assert preliminary[0].startswith("> **Preliminary:** 3 rounds instead of 15")


def test_a_chart_is_svg_with_colours_for_light_and_dark():
    value = chart.Value(0, 1.5, 1.4, 1.6, "1.5 <ms>")

    for draw in (chart.bars, chart.dots):
        text = draw("Title", "Note", ["a & b"], [("row", [value])])
        assert ElementTree.fromstring(text).tag.endswith("svg")  # noqa: S314
        assert "prefers-color-scheme: dark" in text


def test_every_variant_has_a_name_and_every_adapter_its_files():
    names = [variant.name for variant in (*COLD, WITHOUT_ACCESS_LINE)]

    assert len(names) == len(set(names))
    for adapter in ADAPTERS:
        for name in adapter.files:
            assert (build.BENCHMARKS / "site" / "entries" / name).is_file()


def test_another_answer_is_refused():
    expected = fingerprint(Response(200, body=b"{}"))

    check("Zappa", FIRST, Response(200, body=b"{}"), expected)
    for other in (Response(500, body=b"{}"), Response(200, body=b"[]")):
        with pytest.raises(WrongAnswer, match="Zappa answered GET /products/"):
            check("Zappa", FIRST, other, expected)


def test_a_ratio_of_instructions_above_its_budget_fails():
    within = {
        other: 1000.0 / budget for (name, other), budget in gate.BUDGETS.items()
    } | dict.fromkeys([name for name, _ in gate.BUDGETS], 1000.0)
    [first, *_] = gate.BUDGETS

    assert gate.over_budget(within) == []
    [sentence] = gate.over_budget(within | {first[1]: within[first[1]] * 0.99})
    assert f"{first[0]} takes " in sentence
    assert f"of the instructions of {first[1]}" in sentence


def test_without_valgrind_the_gate_fails_and_names_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PATH", "")

    with pytest.raises(Unavailable, match="apt-get install valgrind"):
        gate.measure(tmp_path)


def test_tokens_in_a_form_are_no_difference():
    form = b'<input name="csrfmiddlewaretoken" value="%s">'

    one = fingerprint(Response(200, body=form % b"abc"))
    assert fingerprint(Response(200, body=form % b"xyz")) == one


@pytest.mark.parametrize(
    ("bytecode", "compiled"), [(VALID, False), (STALE, True), (NONE, True)]
)
def test_bytecode_is_valid_or_stale_as_a_variant_names_it(
    tmp_path: Path, bytecode: str, compiled: bool
):
    (tmp_path / "shop.py").write_text("price = 1\n")

    build.leave_bytecode(tmp_path, bytecode)
    build.set_archive_times(tmp_path)

    log = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-v", "-c", IMPORT, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
    ).stderr
    source = str(tmp_path / "shop.py")
    assert (source in cold.COMPILED.findall(log)) is compiled
    loaded = [path for path in cold.LOADED.findall(log) if "shop" in path]
    assert bool(loaded) is not compiled


IMPORT = "import sys; sys.path.insert(0, sys.argv[1]); import shop"


class Site:
    """The site with bare apig-wsgi, as `sam build` leaves it, and its database."""

    def __init__(self, work: Path, server: PostgreSQL) -> None:
        self.variant = Variant("apig-wsgi", LEANEST, bytecode=NONE, items=2)
        self.libraries = build.runtime_libraries(work / "libraries")
        self.root = build.Builder(work).build(self.variant)
        build.seed(self.root, LEANEST, server.url())
        self.target = Target(self.variant, self.root, self.libraries, server.url())


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with PostgreSQL() as server:
        yield Site(tmp_path_factory.mktemp("bench"), server)


def test_the_runtime_client_has_bytecode(site: Site):
    sources = set((site.libraries / "awslambdaric").rglob("*.py"))

    assert sources
    assert {path for path in sources if not compiled(path)} == set()


def compiled(path: Path) -> bool:
    return any(path.parent.glob(f"__pycache__/{path.stem}.*.pyc"))


def test_a_package_is_started_and_measured(site: Site):
    answers = warm.expected_answers(site.target)

    first = answers["20 rows of PostgreSQL"]
    start = cold.start(site.target, first)
    assert start.cpu_seconds > 0
    assert start.wall_seconds > 0
    assert start.memory_bytes > 10_000_000
    with warm.running_all([site.target]) as [running]:
        assert all(value > 0 for value in warm.batch(running, "1 MiB up"))


def test_compiled_modules_are_counted(site: Site):
    counts = cold.checked_modules(site.target)

    assert 0 < counts["compiled"] < counts["imported"]
    assert counts["loaded"] == 0


def test_a_row_that_names_other_bytecode_is_refused(site: Site):
    target = replace(site.target, variant=replace(site.variant, bytecode=VALID))

    with pytest.raises(
        WrongAnswer, match="apig-wsgi has valid bytecode, and its start"
    ):
        cold.checked_modules(target)


def test_a_wrapper_of_the_package_gets_the_command_of_the_runtime_client(site: Site):
    wrapper = site.root / "wrapper"
    wrapper.write_text('#!/bin/sh\necho wrapped\nexec "$@"\n')
    wrapper.chmod(0o755)
    target = replace(site.target, variant=replace(site.variant, wrapper="wrapper"))

    with target.environment() as running:
        assert send(running, FIRST).status == 200
        assert running.log.startswith("wrapped")


def test_a_larger_site_has_more_models_and_urls(site: Site):
    grown = site.root / "grown"

    assert "class Item0002(" in (grown / "models.py").read_text()
    assert "views.item0002" in (grown / "urls.py").read_text()


@pytest.mark.nightly("builds and measures with every adapter")
def test_a_quick_run_measures_every_adapter(tmp_path: Path):
    output = tmp_path / "results.json"
    command = [sys.executable, "-m", "benchmarks.compare", "--quick"]

    subprocess.run([*command, "--output", str(output)], cwd=ROOT, check=True)

    results = json.loads(output.read_text())
    for variant in (*MAIN, *AS_PACKAGED):
        assert len(results["cold"][variant.name]["cpu_ms"]) == 1
        assert (results["modules"][variant.name]["compiled"] == 0) is (
            variant.bytecode == VALID
        )
    # The larger sites are not measured.
    made = report.files(results, report.PAGE.read_text())
    assert "django-on-lambda" in made[report.PAGE]
