"""
The commands in the documentation run, from the top of a page to its end.

The AWS CLI runs them against a local AWS, and psql against a PostgreSQL whose user
`postgres` has the privileges of RDS's master user. The commands of this project are
not run here, but their arguments are parsed.
"""

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import ZipFile

import psycopg
import pytest
from django.core.management import get_commands, load_command_class

from apps.aws_lambda.cli import ROOT
from apps.aws_lambda.cli.__main__ import COMMANDS
from apps.aws_lambda.management.commands import remote
from tests.cli import template
from tests.names import SERVICE
from tests.services import aws_cli, postgresql_programs
from tests.services.aws import AWS
from tests.services.postgresql import PostgreSQL

# In this order: the others presuppose the first one, and the reference removes a stage.
PAGES = (
    *("deploy.md", "capacity.md", "operate.md", "secrets.md", "workflows.md"),
    "deploy-reference.md",
)
BLOCK = re.compile(r"^( *)```(console|sql)\n(.*?)^ *```$", re.M | re.S)
STACK = f"{SERVICE}-prod"
# What a reader replaces with a resource of the account.
PLACEHOLDERS = ("vpc-0ddd", "sg-0eee")
# Operations that the local AWS lacks. The AWS CLI checks their parameters, and sends
# nothing.
UNKNOWN = (
    "lambda get-account-settings",
    "service-quotas request-service-quota-increase",
    "sesv2 put-account-details",
    "ssm update-service-setting",
)
# It opens a browser. Version 2 of the AWS CLI has it, which is in no package registry.
BROWSER = "configure sso"

AWS_PROGRAM = """\
#!/bin/bash
case "$1 $2" in
{browser}) exit 0 ;;
{unknown}) exec {aws} "$@" --generate-cli-skeleton output ;;
esac
exec {aws} "$@"
"""
# The database's name leads nowhere, and its certificate is not in the file.
PSQL_PROGRAM = """\
#!/bin/bash
[ "$PGSSLMODE" = verify-full ] && [ -s "$PGSSLROOTCERT" ] || exit 1
export PGHOSTADDR=127.0.0.1 PGPORT={port} PGSSLMODE=disable
exec {psql} --no-password "$@"
"""
CURL_PROGRAM = """\
#!/bin/bash
for last; do :; done
case "$last" in
https://*.amazonaws.com/*/*-bundle.pem) echo certificates > rds.pem ;;
https://checkip.amazonaws.com) echo 203.0.113.7 ;;
https://shop.example.com/) echo HTTP/2 200 ;;
*) echo "$last is not known here" >&2; exit 1 ;;
esac
"""
# Writes the command and its arguments, each before a NUL, and ends the line.
LOG_PROGRAM = """\
#!/bin/bash
printf '%s\\0' {name} "$@" >> {log}
echo >> {log}
"""


class Printed(NamedTuple):
    """A block of a page, as a shell script."""

    line: int
    script: str


def blocks(page: str) -> list[Printed]:
    """Return the commands of a page in their order."""
    text = (ROOT / "docs" / page).read_text()
    found = []
    for block in BLOCK.finditer(text):
        indent, language, body = block.groups()
        lines = [line.removeprefix(indent) for line in body.splitlines()]
        if language == "sql":
            script = "\n".join(["psql --set ON_ERROR_STOP=1 <<'END'", *lines, "END"])
        else:
            script = "\n".join(line.removeprefix("$ ") for line in lines)
        found.append(Printed(text.count("\n", 0, block.start()) + 1, script))
    for line, row in enumerate(text.splitlines(), 1):
        found += [
            # A table's cell.
            Printed(line, command.replace("\\|", "|"))
            for command in re.findall(r"`(aws [a-z][^`]* --[^`]*)`", row)
        ]
    return sorted(found)


class Reader:
    """Someone who types the commands of a page, in a folder like this project's."""

    def __init__(self, folder: Path, aws: AWS, database: PostgreSQL) -> None:
        self.folder = folder
        self.log = folder / "log"
        self.aws = aws
        self.database = database
        self.replaced: dict[str, str] = {}

    def install(self) -> None:
        programs = self.folder / "programs"
        programs.mkdir()
        aws = self.folder / "aws"
        aws_cli.write_program(aws)
        psql = postgresql_programs.find() / "psql"
        found = str(psql) if psql.exists() else shutil.which("psql")
        assert found, "Install psql: apt-get install postgresql-client"
        written = {
            "aws": AWS_PROGRAM.format(
                aws=aws,
                browser=shlex.quote(BROWSER),
                unknown="|".join(map(shlex.quote, UNKNOWN)),
            ),
            "psql": PSQL_PROGRAM.format(port=self.database.port, psql=found),
            "curl": CURL_PROGRAM,
            "make": LOG_PROGRAM.format(name="make", log=self.log),
        }
        for path in (".venv/bin/python", "node_modules/.bin/serverless"):
            (self.folder / path).parent.mkdir(parents=True)
            written[f"../{path}"] = LOG_PROGRAM.format(name=path, log=self.log)
        for name, text in written.items():
            (programs / name).write_text(text)
            (programs / name).chmod(0o755)
        git = ["git", "-C", str(self.folder), "-c", "user.name=a", "-c", "user.email=a"]
        subprocess.run([*git, "init", "--quiet"], check=True)
        commit = ["commit", "--quiet", "--allow-empty", "--message=first"]
        subprocess.run([*git, *commit], check=True)
        subprocess.run([*git, "tag", "COMMIT_BEFORE_THE_RENAMING"], check=True)
        # What the page lets a reader commit.
        (self.folder / ".git/info/exclude").write_text("*\n!rds.pem\n")
        (self.folder / ".gitconfig").write_text("[user]\nname = a\nemail = a\n")
        (self.folder / ".aws").mkdir()
        (self.folder / ".aws" / "config").write_text("[profile site]\n")

    def prepare(self) -> None:
        """Make what a page presupposes: a network, a released stage, its alarms."""
        ec2 = self.aws.client("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        group = ec2.create_security_group(
            GroupName="database", Description="database", VpcId=vpc
        )
        physical = [vpc, group["GroupId"]]
        self.replaced = dict(zip(PLACEHOLDERS, physical, strict=True))
        # The only version that there is here.
        self.replaced["--function-version 13"] = "--function-version 1"
        self.aws.client("sns").create_topic(Name=f"{STACK}-alarms")
        self.aws.client("cloudwatch").put_metric_alarm(
            AlarmName=f"{STACK}-http-errors",
            Namespace="AWS/Lambda",
            MetricName="Errors",
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="GreaterThanOrEqualToThreshold",
        )
        topic = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}
        self.aws.client("cloudformation").create_stack(
            StackName=STACK, TemplateBody=json.dumps(topic)
        )
        for name in ("http", "tasks", "schedule", "manage"):
            self.make_function(f"{STACK}-{name}")

    def make_function(self, name: str) -> None:
        trust = {"Version": "2012-10-17", "Statement": []}
        role = self.aws.client("iam").create_role(
            RoleName=name, AssumeRolePolicyDocument=json.dumps(trust)
        )
        archive = BytesIO()
        ZipFile(archive, "w").close()
        client = self.aws.client("lambda")
        client.create_function(
            FunctionName=name,
            Role=role["Role"]["Arn"],
            Runtime="python3.13",
            Handler="lambda_entry.http",
            Code={"ZipFile": archive.getvalue()},
            Publish=True,
        )
        client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")

    def type_in(self, printed: list[Printed], page: str) -> str:
        """
        Run the commands in one shell, and return what they print.

        Fails with the first one that fails.
        """
        lines = ["set -euo pipefail"]
        for block in printed:
            lines += [f"trap 'echo {page}, line {block.line} >&2' ERR", block.script]
        script = "\n".join(lines)
        for placeholder, physical in self.replaced.items():
            script = script.replace(placeholder, physical)
        process = subprocess.run(
            ["bash", "-c", script],
            cwd=self.folder,
            env=self.aws.environment()
            | {
                "HOME": str(self.folder),
                "PATH": f"{self.folder}/programs:/usr/local/bin:/usr/bin:/bin",
                "AWS_PAGER": "",
            },
            input="typed",
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert process.returncode == 0, process.stderr
        return process.stdout

    def logged(self) -> list[list[str]]:
        """Return the commands of this project that were run."""
        text = self.log.read_text() if self.log.exists() else ""
        return [line.split("\0")[:-1] for line in text.splitlines()]


@pytest.fixture(scope="module")
def database() -> Iterator[PostgreSQL]:
    """
    A server as RDS makes it, with the database `site` of the user `postgres`.

    That user is not a superuser; rdsadmin is.
    """
    server = PostgreSQL()
    with server:
        with psycopg.connect(server.url(), autocommit=True) as connection:
            connection.execute(
                f"CREATE ROLE rdsadmin SUPERUSER LOGIN PASSWORD '{server.password}'"
            )
        with psycopg.connect(as_admin(server), autocommit=True) as connection:
            connection.execute("ALTER ROLE postgres RENAME TO initial")
            connection.execute("CREATE ROLE rds_iam")
            connection.execute(
                "CREATE ROLE postgres LOGIN CREATEROLE CREATEDB PASSWORD 'P@55w0rd!'"
            )
            connection.execute("GRANT rds_iam TO postgres WITH ADMIN OPTION")
            connection.execute("CREATE DATABASE site OWNER postgres")
        yield server


def as_admin(server: PostgreSQL, database: str = "postgres") -> str:
    return server.url(database).replace("postgres:", "rdsadmin:", 1)


@pytest.fixture(scope="module")
def reader(
    database: PostgreSQL, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Reader]:
    with AWS() as aws:
        reader = Reader(tmp_path_factory.mktemp("reader"), aws, database)
        reader.install()
        yield reader


class First(NamedTuple):
    """What there is after docs/deploy.md, and what its commands have printed."""

    reader: Reader
    printed: str
    instance: dict[str, Any]
    rules: list[dict[str, Any]]
    url: str


@pytest.fixture(scope="module")
def first(reader: Reader) -> First:
    """A reader has followed docs/deploy.md, and no other page yet."""
    reader.prepare()
    printed = reader.type_in(blocks("deploy.md"), "deploy.md")
    [instance] = reader.aws.client("rds").describe_db_instances()["DBInstances"]
    [group] = instance["VpcSecurityGroups"]
    [found] = reader.aws.client("ec2").describe_security_groups(
        GroupIds=[group["VpcSecurityGroupId"]]
    )["SecurityGroups"]
    name = f"/{SERVICE}/prod/database-url"
    parameter = reader.aws.client("ssm").get_parameter(Name=name, WithDecryption=True)
    url = parameter["Parameter"]["Value"]
    return First(reader, printed, instance, found["IpPermissions"], url)


def test_the_role_of_the_site_owns_its_database(first: First):
    server = first.reader.database
    local = re.sub(r"@[^/]*/", f"@127.0.0.1:{server.port}/", first.url)

    with psycopg.connect(local.partition("?")[0]) as connection:
        connection.execute("CREATE TABLE made_by_a_migration (id int)")
        [role] = connection.execute(
            "SELECT rolname, rolsuper, rolcreaterole FROM pg_roles "
            "WHERE rolname = current_user"
        ).fetchall()

    assert role == ("site", False, False)
    address = first.instance["Endpoint"]["Address"]
    assert first.url.endswith(f"@{address}:5432/site?sslrootcert=/var/task/rds.pem")


def test_only_the_functions_and_the_reader_reach_the_database(first: First):
    groups = first.reader.aws.client("ec2").describe_security_groups(
        GroupNames=["site-prod-functions"]
    )
    [functions] = groups["SecurityGroups"]

    ports = {(rule["FromPort"], rule["ToPort"]) for rule in first.rules}
    assert ports == {(5432, 5432)}
    opened = [pair["GroupId"] for r in first.rules for pair in r["UserIdGroupPairs"]]
    assert opened == [functions["GroupId"]]
    addresses = [each["CidrIp"] for rule in first.rules for each in rule["IpRanges"]]
    assert addresses == ["203.0.113.7/32"]
    # The rule of the reader leads nowhere any more.
    assert not first.instance["PubliclyAccessible"]


def test_the_printed_parameters_are_those_of_a_deployment(first: First):
    printed = dict(re.findall(r"^    (\w+): (.+)$", first.printed, re.MULTILINE))
    # The output of the program.
    assert "site" in first.printed.split()

    made = template.package("prod", tuple(sorted(printed.items())))

    assert printed["alarmEmail"] == "you@example.com"
    network = made.properties("HttpLambdaFunction")["VpcConfig"]
    assert network["SecurityGroupIds"] == [printed["securityGroup"]]
    assert len(printed["subnets"].split(",")) == 2
    services = made.of_type("EC2::VPCEndpoint").values()
    networks = {each["Properties"].get("VpcId") for each in services}
    assert networks == {printed["endpointsVpc"]}
    tables = made.properties("S3Endpoint")["RouteTableIds"]
    assert tables == {"Fn::Split": [",", printed["endpointsRouteTables"]]}
    assert made.properties("Domain")["DomainName"] == "shop.example.com"
    assert made.environment()["PUBLIC_URL"] == "https://shop.example.com"


def test_a_vpc_resolves_the_names_of_its_endpoints(first: First):
    page = "deploy-reference.md"
    switches = [each for each in blocks(page) if "modify-vpc-attribute" in each.script]

    first.reader.type_in(switches, page)

    ec2 = first.reader.aws.client("ec2")
    for attribute in ("enableDnsSupport", "enableDnsHostnames"):
        found = ec2.describe_vpc_attribute(
            VpcId=first.reader.replaced["vpc-0ddd"], Attribute=attribute
        )
        assert found[attribute[0].upper() + attribute[1:]]["Value"]


@pytest.mark.parametrize("page", PAGES[1:])
def test_the_commands_of_a_page_run(page: str, first: First):
    # The page presupposes a connection of the master user.
    connection = "PGUSER=postgres PGDATABASE=site PGPASSWORD=P@55w0rd! "
    connection += "PGHOST=database PGSSLMODE=verify-full PGSSLROOTCERT=rds.pem"
    first.reader.type_in([Printed(0, f"export {connection}"), *blocks(page)], page)


def test_the_removal_leaves_nothing_of_the_first_page(first: First):
    page = "deploy-reference.md"
    [removal] = [each for each in blocks(page) if "delete-db-instance" in each.script]
    aws = first.reader.aws
    if aws.client("rds").describe_db_instances()["DBInstances"]:
        first.reader.type_in([removal], page)

    assert aws.client("rds").describe_db_instances()["DBInstances"] == []
    groups = aws.client("ec2").describe_security_groups()["SecurityGroups"]
    assert [g for g in groups if g["GroupName"].startswith("site-prod-")] == []
    names = [f"/{SERVICE}/prod/{name}" for name in ("secret-key", "database-url")]
    found = aws.client("ssm").get_parameters(Names=names)
    assert found["Parameters"] == []


def test_the_commands_of_this_project_have_these_arguments(first: First):
    logged = first.reader.logged()

    assert {command[0] for command in logged} == set(PARSED)
    for name, *arguments in logged:
        PARSED[name](arguments)


def parse_make(arguments: list[str]) -> None:
    process = subprocess.run(
        ["make", "--dry-run", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    for variable in re.findall(r"^([A-Z]+)=", "\n".join(arguments), re.M):
        assert f"$({variable})" in (ROOT / "Makefile").read_text()


def parse_python(arguments: list[str]) -> None:
    match arguments:
        case ["manage.py", "remote", *words]:
            parser = remote.Command().create_parser("manage.py", "remote")
            [name, *options] = parser.parse_args(words).argv
            app = get_commands()[name]
            command = load_command_class(app, name) if isinstance(app, str) else app
            command.create_parser("manage.py", name).parse_args(options)
        case ["-m", "apps.aws_lambda.cli", name, *_]:
            assert name in COMMANDS
        case _:
            raise AssertionError(f"{arguments} is not known.")


def parse_serverless(arguments: list[str]) -> None:
    name, *options = arguments
    assert name == "deploy"
    assert {word for word in options if word.startswith("-")} <= {"--stage", "--param"}


PARSED = {
    "make": parse_make,
    ".venv/bin/python": parse_python,
    "node_modules/.bin/serverless": parse_serverless,
}


def test_a_command_with_a_wrong_option_fails(reader: Reader):
    wrong = Printed(7, "aws rds create-db-instance --db-instance-name site")

    with pytest.raises(AssertionError, match=r"page\.md, line 7"):
        reader.type_in([wrong], "page.md")


@pytest.mark.parametrize("operation", UNKNOWN)
def test_an_operation_that_is_not_sent_has_its_parameters_checked(
    operation: str, reader: Reader
):
    wrong = Printed(7, f"aws {operation} --no-such-parameter 1")

    with pytest.raises(AssertionError, match=r"aws: error: |Unknown options: "):
        reader.type_in([wrong], "page.md")
