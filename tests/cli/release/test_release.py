"""
A stage from its first release to its removal, in that order.

Only AWS is replaced: the Serverless CLI deploys to a local one, and the uploaded
package runs in the real runtime client, with the deployed environment variables and
a PostgreSQL. Each test needs those before it.
"""

import hashlib
import json
import os
import re
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from threading import Timer
from urllib.parse import parse_qs, urlencode, urlsplit
from urllib.request import (
    HTTPCookieProcessor,
    OpenerDirector,
    Request,
    build_opener,
    urlopen,
)

import psycopg
import pytest
from django.contrib.auth.hashers import make_password
from urllib3.filepost import encode_multipart_formdata

from apps.aws_lambda.cli import ROOT, SERVERLESS
from apps.aws_lambda.cli.run.aws.event_source_mapping import EventSourceMapping
from tests.aws_lambda.database.server import SiteServer
from tests.cli.release.cloud import STACK, Cloud
from tests.cli.release.commands import (
    changed,
    live,
    release,
    release_arguments,
    run,
    set_secrets,
    start,
)
from tests.cli.release.inventory import PARTS, all_there_is
from tests.cli.release.read_back import ReadBack
from tests.names import SERVICE
from tests.services.code_deploy import CodeDeploy
from tests.services.local_lambda import Answer, Asked

BROKEN_MIGRATION = """
from django.db import migrations

class Migration(migrations.Migration):
    dependencies = [("documents", {last!r})]
    operations = [
        migrations.RunSQL("CREATE TABLE half_done (id int)"),
        migrations.RunSQL("SELECT 1/0"),
    ]
"""


# They run a package for Lambda.
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Lambda is Linux")


def tables(database: str) -> set[str]:
    with psycopg.connect(database) as connection:
        rows = connection.execute("SELECT tablename FROM pg_tables").fetchall()
    return {name for (name,) in rows}


def test_missing_secrets_are_reported_with_the_commands_that_create_them(
    cloud: Cloud, native: Path
):
    status, output = release(cloud, native)

    assert status == 1
    for name in ("secret-key", "database-url"):
        assert f"--name /{SERVICE}/prod/{name} --value file:///dev/stdin" in output
    assert "Nothing is live." in output
    assert "then run: make deploy STAGE=prod ARGS='--param" in output
    assert cloud.aws.client("cloudformation").list_stacks()["StackSummaries"] == []


def test_the_site_answers_after_the_first_release(
    cloud: Cloud, native: Path, server: SiteServer, database: str
):
    set_secrets(cloud, database)

    status, output = release(cloud, native)

    assert status == 0, output
    assert f"There is no stack {STACK} in eu-central-1 yet" in output
    # The plan, then the migration.
    assert "documents.0001_initial" in output
    assert "Applying documents.0001_initial... OK" in output
    assert re.search(r"Released: \S+ is served by version 1\.", output)
    assert live(cloud) == {"1"}
    assert {"documents_document", "django_cache"} <= tables(database)
    assert "k" * 60 not in output
    assert server.password not in output
    with urlopen(f"{cloud.gateway.url}/health/ready") as response:
        assert response.status == 200


def test_a_function_without_log_is_reported(cloud: Cloud):
    status, output = run(cloud, "logs", "--function", "tasks")

    assert status == 1
    assert output == (
        f"{STACK}-tasks has not logged anything yet.\n"
        "Next: invoke it, then run: make logs STAGE=prod FUNCTION=tasks\n"
    )


def test_the_deployed_resources_are_those_of_the_template(cloud: Cloud):
    stack = ReadBack(cloud.aws, STACK)

    assert stack.differences() == {}

    # Some values, independently of the template.
    client = cloud.aws.client
    functions = client("lambda").list_functions()["Functions"]
    assert {f["FunctionName"].rpartition("-")[2]: f["Timeout"] for f in functions} == {
        "http": 28,
        "tasks": 120,
        "schedule": 900,
        "manage": 900,
    }
    assert len({f["Role"] for f in functions}) == 4
    queue = client("sqs").get_queue_attributes(
        QueueUrl=cloud.outputs()["TaskQueueUrl"], AttributeNames=["All"]
    )["Attributes"]
    assert queue["VisibilityTimeout"] == "720"
    groups = client("logs").describe_log_groups()["logGroups"]
    assert {group["retentionInDays"] for group in groups} == {90}
    assert json.loads(queue["RedrivePolicy"])["maxReceiveCount"] == 5
    bucket = cloud.outputs()["MediaBucketName"]
    assert {
        *client("s3")
        .get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
        .values()
    } == {True}
    assert stack.outputs.keys() >= {"ServiceEndpoint", "AlarmTopicArn"}


def test_the_account_has_every_kind_of_the_template(cloud: Cloud):
    kinds = {r["Type"] for r in ReadBack(cloud.aws, STACK).body["Resources"].values()}

    assert kinds - PARTS == all_there_is(cloud.aws).keys()


# The uploaded package, through its event sources


@pytest.fixture(scope="module")
def browser(cloud: Cloud) -> OpenerDirector:
    """A browser with a logged-in administrator."""
    password = secrets.token_urlsafe()
    argv = ["createsuperuser", "--username", "admin", "--email", "admin@example.com"]
    made = cloud.invoke(
        "manage", {"argv": argv, "password_hash": make_password(password)}
    )
    assert made["exit_code"] == 0, made
    # The site's cookies are Secure.
    policy = DefaultCookiePolicy(secure_protocols=("http", "https"))
    browser = build_opener(HTTPCookieProcessor(CookieJar(policy)))
    browser.addheaders = [("Origin", f"https://{cloud.gateway.host()}")]
    url = f"{cloud.gateway.url}/admin/login/"
    form = {
        "csrfmiddlewaretoken": token_of(browser, url),
        "username": "admin",
        "password": password,
        "next": "/prod/admin/",
    }
    inside = browser.open(url, urlencode(form).encode())
    assert inside.url == f"{cloud.gateway.url}/admin/"
    return browser


def token_of(browser: OpenerDirector, url: str) -> str:
    """Return the CSRF token of a form."""
    page = browser.open(url).read().decode()
    found = re.search('name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert found
    return found[1]


def test_the_admin_has_its_style_sheet(cloud: Cloud, browser: OpenerDirector):
    page = browser.open(f"{cloud.gateway.url}/admin/").read().decode()

    assert "Site administration" in page
    [style] = re.findall(r'"/prod(/static/admin/css/base\.[0-9a-f]+\.css)"', page)
    assert "body {" in browser.open(cloud.gateway.url + style).read().decode()


def test_an_upload_reaches_the_bucket_and_its_task_the_function(
    cloud: Cloud, browser: OpenerDirector
):
    # moto would send the message to its own function.
    client = cloud.aws.client("lambda")
    [mapping] = client.list_event_source_mappings()["EventSourceMappings"]
    client.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    url = f"{cloud.gateway.url}/admin/documents/document/add/"
    body, content_type = encode_multipart_formdata(
        {
            "csrfmiddlewaretoken": token_of(browser, url),
            "title": "Minutes",
            "file": ("minutes.txt", b"We met.", "text/plain"),
        }
    )
    browser.open(Request(url, body, {"Content-Type": content_type}))
    outputs = cloud.outputs()
    files = cloud.aws.client("s3").list_objects_v2(Bucket=outputs["MediaBucketName"])
    queue = EventSourceMapping(
        cloud.aws.client("sqs"),
        cloud.aws.url + urlsplit(outputs["TaskQueueUrl"]).path,
        lambda event: cloud.invoke("tasks", event),
    )

    assert queue.poll()
    assert not queue.poll()

    [file] = files["Contents"]
    assert file["Key"].endswith("/minutes.txt")
    page = browser.open(url.replace("add", "1/change")).read().decode()
    assert hashlib.sha256(b"We met.").hexdigest() in page


def test_a_schedule_runs_its_command(cloud: Cloud):
    assert cloud.invoke("schedule", {"command": "clearsessions", "args": []}) is None


def test_a_management_command_returns_its_output(cloud: Cloud):
    result = cloud.invoke("manage", {"argv": ["showmigrations", "documents"]})

    assert result["exit_code"] == 0
    assert "[X] 0001_initial" in result["output"]


# Later releases


def test_a_release_without_changes_publishes_nothing(cloud: Cloud, native: Path):
    status, output = release(cloud, native)

    assert status == 0, output
    assert "unchanged: version 1" in output
    assert "No planned migration operations." in output
    assert live(cloud) == {"1"}


@pytest.fixture(scope="module")
def last_migration() -> str:
    folder = ROOT / "apps" / "documents" / "migrations"
    return max(path.stem for path in folder.glob("0*.py"))


def test_a_failed_migration_leaves_site_and_database_unchanged(
    cloud: Cloud,
    native: Path,
    database: str,
    last_migration: str,
    tmp_path: Path,
):
    migration = BROKEN_MIGRATION.format(last=last_migration)
    broken = changed(
        native,
        tmp_path / "broken.zip",
        apps__documents__migrations__0999_broken=migration,
    )

    status, output = release(cloud, broken)

    assert status == 1
    assert "documents.0999_broken" in output
    assert "division by zero" in output
    assert "migrate --noinput failed with exit code 1" in output
    assert "The site is served by version 1, as before." in output
    assert "then run: make deploy STAGE=prod" in output
    assert live(cloud) == {"1"}
    assert "half_done" not in tables(database)
    with urlopen(f"{cloud.gateway.url}/health/ready") as response:
        assert response.status == 200


@pytest.fixture(scope="module")
def third(native: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package of version 3."""
    target = tmp_path_factory.mktemp("third") / "third.zip"
    return changed(native, target, project__third="")


def test_the_traffic_moves_back_if_the_site_check_fails(cloud: Cloud, third: Path):
    cloud.gateway.broken = 500

    status, output = release(cloud, third)

    cloud.gateway.broken = 0
    assert status == 1
    assert "/health/ready returned status 500." in output
    assert "Move the traffic back to version 1" in output
    assert "The site is served by version 1, as before." in output
    assert live(cloud) == {"1"}


def test_the_same_release_succeeds_when_repeated(cloud: Cloud, third: Path):

    status, output = release(cloud, third)

    assert status == 0, output
    assert live(cloud) == {"3"}


def test_a_second_rollback_undoes_the_first(
    cloud: Cloud,
):
    arguments = ["rollback", "--url", cloud.gateway.url]

    status, output = run(cloud, *arguments)
    assert status == 0, output
    assert "is served by version 1. The database is unchanged." in output
    assert live(cloud) == {"1"}

    status, output = run(cloud, *arguments)
    assert status == 0, output
    assert live(cloud) == {"3"}


def test_info_prints_the_state_of_the_stage(cloud: Cloud):
    status, output = run(cloud, "info")

    facts = dict(line.split(None, 1) for line in output.splitlines())
    assert status == 0, output
    assert facts["Live"] == "version 3"
    assert facts["Previous"] == "version 1"
    assert facts["Newest"] == "is live"
    assert facts["Tasks"] == "0 waiting"
    assert output.startswith("Problem: in ALARM: ")
    # In moto every alarm is in ALARM by default.
    assert f"{STACK}-http-errors" in facts["Alarms"]


@pytest.fixture
def iam(cloud: Cloud) -> Iterator[list[str]]:
    """Simulate policies, which moto cannot. What is in the list is denied."""
    denied: list[str] = []

    def simulate(asked: Asked, respond: Callable[[Asked], Answer]) -> Answer:
        fields = parse_qs(asked.body.decode(errors="replace"))
        if fields.get("Action") != ["SimulatePrincipalPolicy"]:
            return respond(asked)
        members = "".join(
            f"<member><EvalActionName>{action}</EvalActionName><EvalDecision>"
            f"{'implicitDeny' if action in denied else 'allowed'}"
            "</EvalDecision></member>"
            for name, [action] in fields.items()
            if name.startswith("ActionNames.")
        )
        kind = "SimulatePrincipalPolicy"
        body = (
            f'<{kind}Response xmlns="https://iam.amazonaws.com/doc/2010-05-08/">'
            f"<{kind}Result><EvaluationResults>{members}</EvaluationResults>"
            f"</{kind}Result></{kind}Response>"
        )
        return 200, body.encode(), {"Content-Type": "text/xml"}

    between, cloud.functions.between = cloud.functions.between, simulate
    yield denied
    cloud.functions.between = between


def doctor(cloud: Cloud) -> tuple[int, dict[str, str]]:
    """Return the exit status of the doctor, and its lines by item."""
    status, output = run(cloud, "doctor")
    return status, {line[8:22].strip(): line for line in output.splitlines()}


def test_the_doctor_examines_the_stage(
    cloud: Cloud, iam: list[str], server: SiteServer
):
    client = cloud.aws.client("lambda")
    # An earlier test has disabled it.
    [mapping] = client.list_event_source_mappings()["EventSourceMappings"]
    disabled = doctor(cloud)[1]["queue"]
    client.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)
    # The environments of "live" are of the version that was live before.
    cloud.functions.retire()

    status, lines = doctor(cloud)

    assert status == 1
    assert "is Disabled" in disabled
    states = {item: line.split()[0] for item, line in lines.items()}
    # The migration that failed is in the log.
    assert states == {
        **dict.fromkeys(states, "ok"),
        "errors": "problem",
    }, "\n".join(lines.values())
    assert "live is version 3" in lines["alias"]
    assert "answers with version 3" in lines["function"]
    assert "DATABASE_URL, SECRET_KEY can be read" in lines["secrets"]
    assert "all migrations are applied" in lines["database"]
    assert "files of the manifest are in " in lines["static files"]
    assert "in manage: " in lines["errors"]
    printed = "\n".join(lines.values())
    assert server.password not in printed
    assert "k" * 60 not in printed


def test_the_doctor_finds_what_was_deleted(cloud: Cloud, iam: list[str], database: str):
    iam.append("s3:PutObject")
    with psycopg.connect(database) as connection:
        connection.execute("DELETE FROM django_migrations WHERE app = 'sessions'")
        connection.commit()
        ssm = cloud.aws.client("ssm")
        ssm.delete_parameter(Name=f"/{SERVICE}/prod/secret-key")
        try:
            status, lines = doctor(cloud)
        finally:
            ssm.put_parameter(
                Name=f"/{SERVICE}/prod/secret-key", Value="k" * 60, Type="SecureString"
            )
            connection.execute(
                "INSERT INTO django_migrations (app, name, applied) "
                "VALUES ('sessions', '0001_initial', now())"
            )

    assert status == 1
    assert "unapplied migrations: sessions.0001_initial" in lines["database"]
    assert lines["database"].endswith("manage.py remote --stage prod migrate")
    assert "SECRET_KEY: there is no such parameter" in lines["secrets"]
    assert "s3:PutObject" in lines["roles"]
    assert lines["bucket"].startswith("ok ")


def test_the_log_is_followed_until_ctrl_c(cloud: Cloud):
    with start(cloud, "logs", "--function", "manage") as process:
        assert process.stdout
        output, interrupted = "", False
        cloud.invoke("manage", {"argv": ["showmigrations", "documents"]})
        # Ends the loop, which waits for a line.
        timeout = Timer(60, process.kill)
        timeout.start()
        for line in process.stdout:
            output += line
            # Once: the log of the release has such lines too.
            if "0001_initial" in line and not interrupted:
                os.killpg(process.pid, signal.SIGINT)
                interrupted = True
        timeout.cancel()

    assert process.returncode == 0, output
    # Neither a traceback nor the Serverless CLI's warning about Node.js.
    others = [
        line
        for line in output.splitlines()
        # A record, or what Lambda itself logs.
        if not re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ INFO  manage |\{|$", line)
    ]
    assert others == [], output


def test_an_unknown_function_is_reported_with_the_known_ones(cloud: Cloud):
    status, output = run(cloud, "logs", "--function", "web")

    assert status == 1
    assert output == (
        "serverless.yml has no function web, but http, schedule, manage, tasks.\n"
        "Next: make logs STAGE=prod FUNCTION=http\n"
    )


@pytest.fixture
def codedeploy(cloud: Cloud) -> Iterator[CodeDeploy]:
    codedeploy = CodeDeploy(cloud.aws)
    between, cloud.functions.between = cloud.functions.between, codedeploy
    yield codedeploy
    cloud.functions.between = between


CANARY = "LambdaCanary10Percent5Minutes"


def test_codedeploy_shifts_a_canary(
    cloud: Cloud, codedeploy: CodeDeploy, native: Path, tmp_path: Path
):
    [before] = live(cloud)
    archive = changed(native, tmp_path / "canary.zip", project__canary="")

    status, output = run(cloud, "release", *release_arguments(cloud, archive, CANARY))

    assert status == 0, output
    assert f"» Shift the traffic, {CANARY}" in output
    assert f"CodeDeploy deployment {codedeploy.id}" in output
    assert codedeploy.status == "Succeeded"
    assert live(cloud) == {codedeploy.plan["TargetVersion"]}
    assert codedeploy.plan["CurrentVersion"] == before
    group = cloud.aws.client("codedeploy").get_deployment_group(
        applicationName=STACK, deploymentGroupName="http"
    )["deploymentGroupInfo"]
    assert group["deploymentConfigName"] == f"CodeDeployDefault.{CANARY}"


def test_at_once_overrides_the_canary(
    cloud: Cloud, codedeploy: CodeDeploy, native: Path, tmp_path: Path
):
    [before] = live(cloud)
    archive = changed(native, tmp_path / "at-once.zip", project__at_once="")

    arguments = release_arguments(cloud, archive, CANARY)
    status, output = run(cloud, "release", *arguments, "--at-once")

    assert status == 0, output
    assert codedeploy.id == ""
    [now] = live(cloud)
    assert int(now) > int(before)


def test_old_versions_are_deleted(cloud: Cloud):
    program = (
        "from apps.aws_lambda.cli.release import stage; stage.KEPT_VERSIONS = 0; "
        "stage.Stage('prod').delete_old_versions()"
    )
    subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **cloud.variables()},
        check=True,
    )

    client = cloud.aws.client("lambda")
    function = f"{STACK}-http"
    previous = client.get_alias(FunctionName=function, Name="previous")
    [now] = live(cloud)
    versions = client.list_versions_by_function(FunctionName=function)["Versions"]
    assert [version["Version"] for version in versions] == [
        "$LATEST",
        previous["FunctionVersion"],
        now,
    ]


# The end


def test_a_stage_is_removed_only_if_its_name_is_typed(cloud: Cloud):
    before = live(cloud)

    status, output = run(cloud, "remove", typed="production\n")

    assert status == 1
    assert "Nothing was removed." in output
    assert live(cloud) == before


def test_a_removed_stage_leaves_nothing(cloud: Cloud):
    bucket = cloud.outputs()["MediaBucketName"]

    status, output = run(cloud, "remove", typed=f"prod\n{bucket}\n")

    assert status == 0, output
    assert f"{bucket} contains 1 files" in output
    assert all_there_is(cloud.aws) == {}


@pytest.mark.parametrize("command", ["info", "logs", "remove", "rollback"])
def test_a_missing_stage_is_reported(cloud: Cloud, command: str):
    status, output = run(cloud, command)

    assert status == 1
    assert (
        f"There is no stack {STACK} in eu-central-1. eu-central-1 is from AWS_REGION."
        in output
    )
    assert output.endswith(
        "\nNext: make deploy STAGE=prod creates it, or if it is in another region: "
        "make info STAGE=prod REGION=ANOTHER-REGION\n"
    )


def test_the_serverless_cli_alone_deploys_and_removes_a_stage(
    cloud: Cloud, native: Path
):
    def serverless(command: str) -> str:
        return subprocess.run(
            [
                *(SERVERLESS, command, f"--param=artifact={native}"),
                f"--param=architecture={native.stem.removeprefix('lambda-')}",
            ],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "HOME": "/nowhere", **cloud.variables()},
            capture_output=True,
            text=True,
            check=True,
        ).stderr

    assert f"Service deployed to stack {SERVICE}-dev" in serverless("deploy")
    assert cloud.version(f"{SERVICE}-dev-http") == "1"
    # This one has an HTTP API.
    assert ReadBack(cloud.aws, f"{SERVICE}-dev").differences() == {}
    assert "No changes to deploy" in serverless("deploy")
    assert "successfully removed" in serverless("remove")
    assert all_there_is(cloud.aws).keys() == {"AWS::S3::Bucket"}


# After a failed first deployment


@pytest.fixture
def ruin(cloud: Cloud) -> Iterator[None]:
    """A stack with only the bucket of packages."""
    client = cloud.aws.client("cloudformation")
    template = {
        "Resources": {"ServerlessDeploymentBucket": {"Type": "AWS::S3::Bucket"}}
    }
    client.create_stack(StackName=STACK, TemplateBody=json.dumps(template))
    yield
    client.delete_stack(StackName=STACK)


def test_an_incomplete_stage_can_be_shown_and_removed(cloud: Cloud, ruin: None):
    status, output = run(cloud, "info")
    assert status == 0, output
    assert "Live          none" in output

    status, output = run(cloud, "remove", typed="prod\n")
    assert status == 0, output
    assert "Removed." in output


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["--param=eventSource=restapi"],
            "eventSource is restapi, but must be one of http-api, rest-api",
        ),
        (["--param=snapStart"], "expected NAME=VALUE, got snapStart"),
    ],
)
def test_an_invalid_parameter_is_reported(
    cloud: Cloud, arguments: list[str], sentence: str
):
    status, output = run(cloud, "release", *arguments)

    assert status != 0
    assert sentence in output
