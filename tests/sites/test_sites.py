"""Sites of others adopt the built wheel, and no file is edited by hand."""

import base64
import json
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path

import pytest
from django.contrib.auth.hashers import make_password

from apps.aws_lambda.cli import ROOT
from apps.aws_lambda.cli.configuration import Configuration
from apps.aws_lambda.cli.lambda_service import ExecutionEnvironment
from apps.aws_lambda.cli.package.runtime import environment, lambda_runtime, unpacked
from tests.cli import sites
from tests.cli.template import ARCHITECTURE as FOREIGN
from tests.runtimes import RUNTIMES, own_variables
from tests.services.aws import AWS
from tests.sites import installed
from tests.sites.browser import HOST, Browser
from tests.sites.installed import DATABASE_FILE, InstalledSite

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Lambda is Linux")
NATIVE = "arm64" if FOREIGN == "x86_64" else "x86_64"
BUCKET = "media-of-the-site"
USER, PASSWORD = "ann", "correct-horse-battery"
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5E"
    "rkJggg=="
)
SECONDS = 120


@dataclass(frozen=True)
class Case:
    """
    A site, and what is in it.

    ``settings`` is the path of the module that `adopt` writes. ``form`` is a page of
    the admin with an upload, ``file`` its field, and ``fields`` are the other ones.
    ``use`` are further requests of a browser that is logged in. ``reported`` are the
    system checks that have a message.
    """

    build: Callable[[Path], InstalledSite]
    settings: str = "mysite/lambda_settings.py"
    test: str = "test_lambda.py"
    home: str = "/about/"
    says: str = "Polls"
    login: str = "/admin/login/"
    form: str = "/admin/polls/question/add/"
    file: str = "picture"
    fields: dict[str, str] = field(default_factory=lambda: {"text": "Why?"})
    use: Callable[[Browser], object] = lambda browser: None
    reported: list[str] = field(default_factory=list)

    @property
    def files(self) -> set[str]:
        """Return all files that `adopt` writes."""
        return {
            ".django-on-lambda.json",
            "django-on-lambda.toml",
            "lambda_entry.py",
            "package.json",
            "serverless.yml",
            self.settings,
            self.test,
        }


POLLS = Case(installed.polls)
WAGTAIL = Case(
    installed.wagtail,
    settings="mysite/settings/lambda_settings.py",
    home="/",
    says="Welcome to your new Wagtail site",
    form="/admin/images/add/",
    file="file",
    fields={"title": "A pixel"},
    use=lambda browser: browser.text("/admin/images/"),
    # Its admin sends links to a new password.
    reported=["aws_lambda.W016"],
)


def in_german(browser: Browser) -> None:
    """Request a page in another language than that of the settings."""
    page = browser.get("/admin/", ("Accept-Language", "de"))
    assert "Abmelden" in page.body.decode()


def with_a_token(browser: Browser) -> None:
    """Use an API as a program does."""
    credentials = {"username": USER, "password": PASSWORD}
    token = browser.call("/api/token/", credentials)["token"]
    allowed = ("Authorization", f"Token {token}")
    stored = browser.call("/api/questions/", {"text": "Where?"}, allowed)
    listed = json.loads(browser.get("/api/questions/", allowed).body)
    assert [question["text"] for question in listed] == ["Why?", "Where?"]
    assert stored in listed
    assert browser.get("/api/questions/").status == 401
    assert "/api/questions/{id}/" in browser.text("/api/schema/")


OTHERS = {
    "startproject-5.2": Case(partial(installed.polls, django="django~=5.2.0")),
    "startproject-6.0": Case(partial(installed.polls, django="django~=6.0.0")),
    "settings-package": Case(
        installed.settings_package,
        settings="config/settings/lambda_settings.py",
        test="tests/test_lambda.py",
        use=in_german,
    ),
    "rest-framework": Case(installed.rest_framework, use=with_a_token),
    "coderedcms-start": replace(
        WAGTAIL,
        build=installed.codered,
        says="<html",
        # It caches pages in files.
        reported=["aws_lambda.W005", "aws_lambda.W016"],
    ),
}
CASES = [
    pytest.param(POLLS, id="startproject"),
    pytest.param(WAGTAIL, id="wagtail-start"),
    *(
        pytest.param(
            case,
            id=name,
            marks=pytest.mark.nightly("a site in a virtual environment of its own"),
        )
        for name, case in OTHERS.items()
    ),
]


class Story:
    """What a developer does with a site, each step once."""

    def __init__(self, case: Case, folder: Path) -> None:
        self.case = case
        self.folder = folder

    @cached_property
    def site(self) -> InstalledSite:
        """The site before the adoption; its own tests pass."""
        site = self.case.build(self.folder / "site")
        site.manage("test")
        assert site.status() == []
        return site

    @cached_property
    def adopted(self) -> InstalledSite:
        """The site with the new files, which are committed."""
        status, output = self.site.command("adopt", "--yes")
        assert status == 0, output
        self.changes = self.site.status()
        self.diff = sites.git(self.site.root, "diff", "--unified=0").splitlines()
        self.uncommitted = self.site.copy(self.folder / "uncommitted")
        self.site.commit()
        return self.site

    @cached_property
    def archive(self) -> Path:
        """The package for this machine."""
        status, output = self.adopted.command("package", "--arch", NATIVE)
        assert status == 0, output
        return self.adopted.root / "dist" / f"lambda-{NATIVE}.zip"


@pytest.fixture(scope="module", params=CASES)
def story(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Story:
    return Story(request.param, tmp_path_factory.mktemp("sites"))


def test_its_own_tests_pass_before_and_after(story: Story):
    output = story.adopted.manage("test")

    # The new one is among them.
    assert re.search(r"Ran ([2-9]|\d\d+) tests", output), output


def test_files_are_added_and_only_gitignore_changes(story: Story):
    assert story.adopted
    added = {line[3:] for line in story.changes if line.startswith("?? ")}
    changed = {line[3:] for line in story.changes if not line.startswith("?? ")}
    lines = [x for x in story.diff if x[:1] in "+-" and x[:3] not in ("+++", "---")]

    assert added == story.case.files
    assert len(added | changed) <= 8
    assert changed == {".gitignore"}
    assert lines[0] == "+# django-on-lambda: begin"
    assert lines[-1] == "+# django-on-lambda: end"
    assert [line for line in lines if line.startswith("-")] == []


def test_undo_leaves_nothing(story: Story):
    assert story.adopted
    status, output = story.site.command(
        "adopt", "--undo", "--yes", root=story.uncommitted
    )

    assert status == 0, output
    assert story.site.status(story.uncommitted) == []


def test_every_page_is_the_same_on_lambda(story: Story):
    status, output = story.adopted.command("check", "--crawl")

    assert status == 0, output
    found = re.search(r"(\d+) requests: (\d+) equal, 0 different, 0 ignored", output)
    assert found, output
    assert found[1] == found[2]
    assert int(found[1]) > 30, "the pages of the admin are among them"
    checks = output.partition("» System checks\n")[2].partition("  done in")[0]
    printed = sorted(re.findall(r"^  ([\w.]+): ", checks, re.M))
    assert printed == sorted(story.case.reported), checks


@pytest.fixture(scope="module")
def bucket() -> Iterator[AWS]:
    aws = AWS()
    aws.start()
    aws.client("s3").create_bucket(
        Bucket=BUCKET,
        CreateBucketConfiguration={"LocationConstraint": "eu-central-1"},
    )
    yield aws
    aws.stop()


@pytest.mark.parametrize("client", RUNTIMES)
def test_the_package_serves_the_site(
    story: Story, bucket: AWS, tmp_path: Path, client: str
):
    site, case = story.adopted, story.case
    variables = {
        **Configuration.read(site.root).stand_ins,
        **bucket.environment(),
        "LAMBDA_HOSTS": HOST,
        "MEDIA_BUCKET": BUCKET,
        DATABASE_FILE: str(tmp_path / "database.sqlite3"),
    }
    with ExitStack() as stack:
        root = stack.enter_context(unpacked(story.archive))
        runtime = stack.enter_context(lambda_runtime(site.python))
        if client == "own":
            variables |= own_variables(root)

        def function(name: str) -> ExecutionEnvironment:
            return environment(root, runtime, name, variables, site.python)

        with function("manage") as manage:
            superuser = ["createsuperuser", "--noinput", "--username", USER]
            for event in (
                {"argv": ["migrate"]},
                {
                    "argv": [*superuser, "--email", "ann@example.com"],
                    "password_hash": make_password(PASSWORD),
                },
            ):
                result = manage.invoke(event, SECONDS)
                assert result["exit_code"] == 0, json.dumps(result, indent=2)
        http = stack.enter_context(function("http"))
        browser = Browser(http)

        assert case.says in browser.text(case.home)
        login = browser.text(case.login)
        [sheet, *_] = re.findall(r'href="(/static/[^"]+\.css[^"]*)"', login)
        assert "text/css" in browser.get(sheet).values("Content-Type")[0]
        credentials = {"username": USER, "password": PASSWORD}
        answer = browser.post(case.login, credentials | {"next": case.form})
        assert answer.status == 302, http.log
        answer = browser.post(
            case.form, case.fields, **{case.file: ("a.png", "image/png", PNG)}
        )
        assert answer.status == 302, http.log
        stored = bucket.client("s3").list_objects_v2(Bucket=BUCKET)["Contents"]
        assert any(file["Key"].endswith("a.png") for file in stored)
        case.use(browser)


# The commands of a stage


@pytest.fixture
def deployable(story: Story, tmp_path: Path) -> Path:
    """A copy of the adopted site that has the Serverless CLI."""
    root = story.adopted.copy(tmp_path / "site")
    (root / "node_modules").symlink_to(ROOT / "node_modules")
    return root


def test_an_account_is_prepared_for_the_site(
    story: Story, bucket: AWS, deployable: Path
):
    subject = ["--subject", "repo:ann@1/site@2"]

    status, output = story.site.command(
        *("bootstrap", "--stage", "prod", "--region", "eu-west-1", *subject),
        root=deployable,
        **bucket.environment(),
    )

    assert status == 0, output
    assert "eu-west-1 is from --region; AWS_REGION has eu-central-1." in output
    [name] = re.findall(r"may release (\S+-prod) now", output)
    role = bucket.client("iam").get_role(RoleName=f"{name}-deployment")["Role"]
    assert f"--env prod --body {role['Arn']}\n" in output
    assert "AWS_REGION --body eu-west-1" in output


def test_a_secret_of_the_site_is_rotated(story: Story, bucket: AWS, deployable: Path):
    service = json.loads((deployable / "package.json").read_text())["name"]
    name = f"/{service}/prod/secret-key"
    own = "    # The site's own. A reference"
    file = deployable / "serverless.yml"
    text = file.read_text()
    # A site that reads the key from the environment has the first one.
    missing = {
        variable: reference
        for variable, reference in {
            "SECRET_KEY": f"ssm:{name}",
            "SECRET_KEY_FALLBACKS": f"ssm:{name}-fallbacks",
        }.items()
        if f"    {variable}: " not in text
    }
    rotate = ["rotate", "secret-key", "--stage", "prod", "--param=artifact=gone.zip"]

    def run() -> tuple[int, str]:
        return story.site.command(*rotate, root=deployable, **bucket.environment())

    topic = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}
    bucket.client("cloudformation").create_stack(
        StackName=f"{service}-prod", TemplateBody=json.dumps(topic)
    )
    status, output = run()
    assert status == 1, output
    first = next(iter(missing.values()))
    assert f"Let it refer to one: {first} (docs/secrets.md)" in output

    assert own in text
    variables = "".join(f"    {key}: {value}\n" for key, value in missing.items())
    file.write_text(text.replace(own, variables + own))
    ssm = bucket.client("ssm")
    ssm.put_parameter(Name=name, Value="k" * 60, Type="SecureString")
    status, output = run()

    # The release of the first step has no package.
    assert status == 1, output
    assert "gone.zip" in output
    stored = ssm.get_parameter(Name=f"{name}-fallbacks", WithDecryption=True)
    assert stored["Parameter"]["Value"].split(",")[0] == "k" * 60
    assert f"The parameter {name}-fallbacks has a new value." in output
    again = "django-on-lambda rotate --stage prod secret-key --param=artifact=gone.zip"
    assert output.splitlines()[-1].endswith(f"then run: {again}")


def test_a_second_run_changes_nothing(story: Story):
    status, output = story.adopted.command("adopt", "--yes")

    assert status == 0, output
    assert story.adopted.status() == []
