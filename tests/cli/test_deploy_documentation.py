"""Names, values and figures in the pages about it are those of the deployment."""

import re
import shlex
import subprocess
import sys
from typing import Any

import pytest
import yaml

from apps.aws_lambda.cli import ROOT
from apps.aws_lambda.cli.__main__ import COMMANDS, main
from tests.cli import template
from tests.names import SERVICE

FIRST, REFERENCE, CAPACITY, OPERATE = (
    (ROOT / "docs" / page).read_text()
    for page in ("deploy.md", "deploy-reference.md", "capacity.md", "operate.md")
)
TEXT = "\n".join((FIRST, REFERENCE, CAPACITY, OPERATE))
# A program, its arguments and its output.
PRINTED = re.findall(r"<!-- (capacity)(.*?) -->\n\n((?:\|.*\n)*)", CAPACITY)


class Loader(yaml.SafeLoader):
    """Reads YAML, and ignores CloudFormation's short forms."""


Loader.add_multi_constructor("!", lambda loader, tag, node: None)


DEPLOYMENT = ROOT / "apps/aws_lambda/cli/serverless"


def parameters() -> dict[str, Any]:
    """Return the defaults of the parameters without resolving variables."""
    text = (DEPLOYMENT / "parameters.yml").read_text()
    found: dict[str, Any] = yaml.load(text, Loader)  # noqa: S506
    return found


def section(heading: str) -> str:
    found = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", REFERENCE, re.M | re.S)
    assert found, heading
    return found[1]


def test_the_parameters_that_take_permissions_away_say_expand_and_contract():
    roles = (DEPLOYMENT / "resources" / "roles.yml").read_text()
    text = (DEPLOYMENT / "parameters.yml").read_text()
    [comment] = re.findall(
        r"^# The live version loses.*?contract.*?^\w", text, re.M | re.S
    )
    [sentence] = re.findall(
        r"The parameters (.*?)\s+name one", section("What a release does"), re.S
    )
    named = set(re.findall(r"\$\{param:(\w+)\}", roles))

    assert set(re.findall(r"`(\w+)`", comment)) == named
    assert set(re.findall(r"`(\w+)`", sentence)) == named


def test_every_parameter_is_in_the_table_with_its_default():
    table = re.findall(r"^\| `(\w+)` \| (.*?) \|", section("Parameters"), re.M)
    documented = {
        name: "" if default == "none" else default.strip("`") for name, default in table
    }
    defaults = {
        name: str(value)
        .replace("${self:service}", "SERVICE")
        .replace("${sls:stage}", "STAGE")
        # As in YAML.
        .replace("False", "false")
        for name, value in parameters().items()
    }

    assert documented == defaults


def test_every_parameter_in_an_example_exists():
    known = {*parameters(), "artifact", "live", "parametersVersion"}
    examples = re.findall(r"```yaml\n(.*?)```", TEXT, re.S)
    set_there = re.findall(r"^    (\w+):", "\n".join(examples), re.M)
    set_there += re.findall(r"--param (\w+)=", TEXT)
    set_there += re.findall(r"`(\w+): [^`]+`", TEXT)

    assert set_there
    assert [name for name in set_there if name not in known | {"name"}] == []


def test_the_parameters_of_the_command_line_are_documented():
    files = [ROOT / "serverless.yml", *DEPLOYMENT.rglob("*.yml")]
    text = "".join(path.read_text() for path in files)
    used = set(re.findall(r"\$\{param:(\w+)", text))

    assert used - {*parameters()} == {"artifact", "live", "parametersVersion"}
    assert {"artifact", "live", "parametersVersion"} <= set(
        re.findall(r"`(\w+)`", section("Parameters"))
    )


def test_the_make_targets_of_a_stage_are_documented():
    named = set(re.findall(r"`?make ([a-z]+)", "\n".join(commands())))
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z]+):.*##", makefile, re.M))
    for_a_stage = set(re.findall(r"^([a-z]+):(?=.*\n.*STAGE)", makefile, re.M))

    assert named <= targets
    assert for_a_stage == {
        *(
            "bootstrap",
            "deploy",
            "rollback",
            "rotate",
            "info",
            "doctor",
            "bucket",
            "logs",
            "remove",
        )
    }
    assert for_a_stage <= named


def test_every_option_of_the_release_is_in_the_table():
    output = subprocess.check_output(
        [sys.executable, "-m", "apps.aws_lambda.cli", "deploy", "--help"],
        cwd=ROOT,
        text=True,
    )
    options = set(re.findall(r"^  (--[\w-]+)", output, re.M))
    table = REFERENCE.partition('| option, in `ARGS="..."` |')[2].partition("\n\n")[0]

    passed = {"--stage", "--region"}
    # The Makefile has variables for them.
    assert set(re.findall(r"^\| `(--[\w-]+)", table, re.M)) == options - passed
    assert options >= {*passed, "--param"}


def test_make_passes_the_options_of_the_logs():
    [given] = re.findall(r"`make logs STAGE=prod REQUEST=ID` .* `(ARGS=[^`]+)`", TEXT)

    printed = subprocess.check_output(
        ["make", "--dry-run", "logs", "REQUEST=ID", *shlex.split(given)],
        cwd=ROOT,
        text=True,
    )

    assert '--request "ID" --hours 72' in printed


def commands() -> list[str]:
    """Return the code blocks and inline code."""
    return re.findall(r"```console\n.*?```|`[^`\n]+`", TEXT, re.S)


def test_every_documented_program_exists():
    programs = set(re.findall(r"python -m apps\.aws_lambda\.cli (\w+)", TEXT))

    assert programs == {"capacity"}
    assert programs <= set(COMMANDS)


def outputs() -> set[str]:
    made = (template.default(), template.everything(), template.function_url())
    return {name for each in made for name in each.body["Outputs"]}


def test_every_documented_output_exists():
    named = re.findall(r"`(\w+)`", "".join(rows(section("Outputs"))))
    named += re.findall(r"output `(\w+)`", TEXT)

    assert set(named) - outputs() == set()


def test_every_output_is_documented():
    ours = {
        name
        for name in outputs()
        if name not in ("HttpApiId", "ServerlessDeploymentBucketName")
    }
    named = set(re.findall(r"`(\w+)`", section("Outputs")))

    assert {x for x in ours - named if not x.endswith("QualifiedArn")} == set()


def rows(text: str) -> list[str]:
    """Return the first cell of each row of a table."""
    return re.findall(r"^\|(.*?)\|", text, re.M)


def test_every_alarm_is_documented():
    made = template.everything().of_type("CloudWatch::Alarm").values()
    alarms = {
        alarm["Properties"]["AlarmName"].removeprefix(f"{SERVICE}-prod-")
        for alarm in made
    }
    table = OPERATE.partition("| alarm | in ALARM when |")[2].partition("\n\n")[0]
    canary = {name for name in alarms if name.startswith("canary-")}

    assert {cell.strip() for cell in rows(table)} - {"---", ""} == alarms - canary
    assert canary
    assert all(f"| the alarm `{name}` |" in REFERENCE for name in canary)


def surprise(name: str) -> str:
    """Return a row of the table of costs."""
    table = CAPACITY.partition("### What surprises on the bill")[2]
    [row] = re.findall(rf"^\| {name} \| (.*)$", table, re.M)
    return str(row)


def test_the_figures_of_the_bill_are_those_of_the_deployment():
    made = template.everything()
    read = {
        name: [
            metric
            for metric in alarm["Properties"].get("Metrics", [{"MetricStat": alarm}])
            if "MetricStat" in metric
        ]
        for name, alarm in made.of_type("CloudWatch::Alarm").items()
    }
    always = [name for name in read if not name.startswith("Canary")]
    few, many = (sum(len(read[name]) for name in names) for names in (always, read))
    text = surprise("alarms")
    assert text.startswith(f"{len(always)} alarms that read {few} metrics, ")
    assert f"; {len(read)} that read {many} with a canary" in text

    kinds = [
        endpoint["Properties"]["VpcEndpointType"]
        for endpoint in made.of_type("EC2::VPCEndpoint").values()
    ]
    one = 2 * 730
    base = one * (kinds.count("Interface") - len(("secret", "mailFrom")))
    text = surprise("endpoints")
    assert f"that is {base:,} hours, and {one:,} for each of the last two" in text

    # Lambda's five connections, and SQS's longest wait.
    polls = 5 * 60 // 20 * 730 * 60
    assert surprise("the queue's polling").startswith(f"{polls:,} SQS requests")

    rules = made.properties("MediaBucket")["LifecycleConfiguration"]["Rules"]
    [days] = [
        rule["NoncurrentVersionExpiration"]["NoncurrentDays"]
        for rule in rules
        if "NoncurrentVersionExpiration" in rule
    ]
    assert f"for {days} days" in surprise("deleted uploads")


def test_a_line_of_the_access_log_has_the_documented_size():
    settings = template.default().properties("HttpApiStage")["AccessLogSettings"]
    values = {
        "requestTime": "26/Nov/2026:12:00:00 +0000",
        "requestId": "JKJaXmPLvHcESHA=",
        "integration.requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
    }
    line = re.sub(
        r"\$context\.([\w.]*\w)",
        lambda match: values.get(match[1], "12345"),
        settings["Format"],
    )

    assert 400 < len(line) < 550
    assert surprise("the access log").startswith("0.5 KB for each request")


@pytest.mark.parametrize(
    ("program", "arguments", "shown"),
    PRINTED,
    ids=[f"{program}{arguments}" for program, arguments, _ in PRINTED],
)
def test_a_table_is_the_output_of_its_program(
    program: str, arguments: str, shown: str, capsys: pytest.CaptureFixture[str]
):
    main([program, *arguments.split()])

    assert shown == capsys.readouterr().out


def test_the_capacity_table_is_printed_by_its_program():
    assert [program for program, _, _ in PRINTED] == ["capacity"]
