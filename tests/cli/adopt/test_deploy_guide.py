"""Deployments are documented for a site called shop as well as for this repository."""

import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from apps.aws_lambda.cli import ROOT, report
from apps.aws_lambda.management.commands.remote import Command
from tests.cli import template
from tests.cli.template import EVERYTHING
from tests.names import SERVICE

from .conftest import Planned
from .deployment import compiled

GUIDE = (ROOT / "docs" / "deploy.md").read_text()
REFERENCE = (ROOT / "docs" / "deploy-reference.md").read_text()
AWS = """\
#!/bin/sh
while [ $# -gt 0 ]; do
  case "$1" in
    --name) echo "$2" >> "$STORED" ;;
  esac
  shift
done
cat > /dev/null
"""
TABLE = re.findall(
    r"^\| `([^`]+)` \| `([^`]+)` \|$",
    GUIDE.partition("| here | in a site called `shop` |")[2].partition("\n\n")[0],
    re.MULTILINE,
)


def section(page: str, heading: str) -> str:
    """Return the text below a heading, up to the next one that is not below it."""
    level = len(heading.partition(" ")[0])
    text = page.partition(f"{heading}\n")[2]
    return re.split(rf"^#{{1,{level}}} ", text, maxsplit=1, flags=re.MULTILINE)[0]


def blocks(text: str) -> str:
    """Return the commands of a section."""
    found = re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    assert found
    return re.sub(r"^\$ ", "", "".join(found), flags=re.MULTILINE)


def in_a_site(commands: str) -> str:
    """Return the commands as a reader types them whose site is called shop."""
    found = re.subn(r"=\S+ +# in a site called shop: (\S+)", r"=\1", commands)
    assert found[1]
    return found[0]


@pytest.fixture
def stored(tmp_path: Path) -> Callable[[str], set[str]]:
    """Run commands, and return the names of the parameters that they store."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "aws").write_text(AWS)
    (programs / "aws").chmod(0o755)

    def run(commands: str) -> set[str]:
        names = tmp_path / "names"
        names.unlink(missing_ok=True)
        subprocess.run(
            ["bash", "-euc", commands],
            env={"PATH": f"{programs}:/usr/bin:/bin", "STORED": str(names)},
            input="postgres://site:secret@db.example.com/site\n",
            text=True,
            check=True,
            capture_output=True,
        )
        return set(names.read_text().split())

    return run


def referred(environment: dict[str, str], service: str, stage: str) -> set[str]:
    """Return the names of the parameters that variables refer to."""
    return {
        value.removeprefix("ssm:")
        .replace("${self:service}", service)
        .replace("${sls:stage}", stage)
        for value in environment.values()
        if str(value).startswith("ssm:")
    }


def test_the_secrets_are_those_that_serverless_yml_refers_to(
    stored: Callable[[str], set[str]], planned: Planned
):
    commands = blocks(section(GUIDE, "## 4. The secrets"))
    here = template.package("prod").environment()
    text = planned[6, 1, 3]["serverless.yml"]
    there = yaml.safe_load(text)["provider"]["environment"]

    assert stored(commands) == referred(here, SERVICE, "prod")
    assert stored(in_a_site(commands)) == referred(there, "shop", "prod")


def test_the_functions_of_a_site_may_read_the_secret_of_cloudfront(
    stored: Callable[[str], set[str]], planned: Planned, tmp_path: Path
):
    text = section(REFERENCE, "### CloudFront")
    [parameters] = re.findall(r"```yaml\n  prod:\n(.*?)```", text, re.DOTALL)
    names = stored(in_a_site(blocks(text)))

    made = compiled(tmp_path / "site", with_parameters(planned[6, 1, 3], parameters))

    assert names == {"/shop/prod/origin-secret"}
    secret = made.environment()["LAMBDA_ORIGIN_SECRET"]
    assert secret == "ssm:/shop/prod/origin-secret"
    assert "parameter/shop/prod/origin-secret" in str(made.properties("SitePolicy"))


def with_parameters(files: dict[str, str], lines: str) -> dict[str, str]:
    """Return the files of a site with these lines in the block of prod."""
    text = files["serverless.yml"]
    prod = re.search(r"^  prod: \{(.*)\}\n", text, re.MULTILINE)
    assert prod
    own = "".join(f"    {parameter}\n" for parameter in prod[1].split(", "))
    return files | {"serverless.yml": text.replace(prod[0], f"  prod:\n{own}{lines}")}


def test_a_site_is_deployed_with_the_parameters_that_the_guide_prints(
    planned: Planned, tmp_path: Path
):
    names = re.findall(r'"(\w+): [^"]+"', GUIDE)
    lines = "".join(f"    {name}: {EVERYTHING[name]}\n" for name in names)
    assert len(names) == 9

    made = compiled(tmp_path / "site", with_parameters(planned[6, 1, 3], lines))

    assert len(made.of_type("EC2::VPCEndpoint")) == 3
    assert made.properties("Domain")["DomainName"] == EVERYTHING["domain"]
    assert made.properties("AlarmSubscription")["Endpoint"] == EVERYTHING["alarmEmail"]
    alarms = made.of_type("CloudWatch::Alarm").values()
    assert "shop-prod-http-errors" in {a["Properties"]["AlarmName"] for a in alarms}


def test_the_table_has_the_commands_of_a_site(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(report, "has_target", lambda name: False)
    rows = [(here, there) for here, there in TABLE if here.startswith("make ")]

    assert len(rows) == 4
    for here, there in rows:
        _, name, *words = shlex.split(here)
        values = dict(word.split("=", 1) for word in words)
        arguments = values.pop("ARGS", "").split()
        options = {key.lower(): value for key, value in values.items()}
        assert there == report.command(name, arguments, **options)


def test_the_table_has_the_names_of_a_site(planned: Planned, tmp_path: Path):
    rows = [(here, there) for here, there in TABLE if here.startswith(("/", SERVICE))]
    named = {there for _, there in rows}

    assert len(rows) == 2
    for here, there in rows:
        assert there == here.replace(SERVICE, "shop")
    made = compiled(tmp_path, dict(planned[6, 1, 3]))
    functions = {
        function["Properties"]["FunctionName"]
        for function in made.of_type("Lambda::Function").values()
    }
    secrets = {f"/shop/prod/{name}" for name in ("secret-key", "database-url")}
    alarms = {
        alarm["Properties"]["AlarmName"]
        for alarm in made.of_type("CloudWatch::Alarm").values()
    }
    assert named <= functions | secrets | alarms
    [line] = [there for here, there in TABLE if "manage.py remote" in here]
    program, file, name, *arguments = line.split()
    options = Command().create_parser(file, name).parse_args(arguments)
    assert (program, file, name) == ("python", "manage.py", "remote")
    assert options.function_name in functions
    assert options.argv == ["migrate"]
