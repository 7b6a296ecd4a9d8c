"""`manage.py remote`, from a real process through boto3 to a real database."""

import json
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests.aws_lambda.commands.conftest import NAME, Stage, eventually, finish


@pytest.fixture(autouse=True)
def _timeout_of_28_seconds(stage: Stage) -> Iterator[None]:
    yield
    stage.endpoint.timeout = 28


def tables(stage: Stage, name: str) -> int:
    [(count,)] = stage.server.ask(
        "SELECT count(*) FROM pg_tables WHERE tablename = %s", name
    )
    return int(count)


# migrate


def test_migrate_shows_its_plan_and_then_migrates(stage: Stage):
    plan = stage.remote("migrate", "site", "0001", "--plan")
    assert plan.returncode == 0, plan.stderr
    assert "site.0001_table" in plan.stdout
    assert tables(stage, "whole") == 0

    done = stage.remote("migrate", "site", "0001")

    assert done.returncode == 0, done.stderr
    assert "Applying site.0001_table... OK" in done.stdout
    assert tables(stage, "whole") == 1


def test_a_migration_that_fails_shows_its_traceback_and_leaves_nothing(stage: Stage):
    stage.remote("migrate", "site", "0001")

    failed = stage.remote("migrate", "site", "0002")

    assert failed.returncode == 1
    assert "Traceback (most recent call last)" in failed.stdout
    assert "LookupError: in the middle of a migration" in failed.stdout
    assert tables(stage, "half") == 0
    shown = stage.remote("showmigrations", "site")
    assert "[X] 0001_table\n [ ] 0002_half" in shown.stdout


def test_two_migrations_never_run_together(stage: Stage):
    with stage.table_held("django_migrations"):
        first = stage.start("--stage", "test", "migrate")
        assert eventually(stage.waits_for_table)

        second = stage.remote("migrate")

    assert second.returncode == 75
    assert "Another run of migrate is in progress: request " in second.stdout
    assert "Nothing was done." in second.stdout
    ended = finish(first)
    assert "Another run" not in ended.stdout
    # The lock is free again, and the first was not disturbed by the second.
    assert "Another run" not in stage.remote("migrate", "auth").stdout


def test_who_holds_the_lock_is_found_in_the_log_by_its_request(stage: Stage):
    with stage.table_held("auth_group"):
        first = stage.start("--stage", "test", "misbehave", "wait")
        assert eventually(stage.waits_for_table)
        second = stage.remote("misbehave", "say")
    assert finish(first).returncode == 0

    holder = second.stdout.partition("request ")[2].partition(",")[0]
    mine = [entry for entry in stage.log() if entry.get("request_id") == holder]
    assert "misbehave ended with exit code 0" in [entry["message"] for entry in mine]


# The command's own


@pytest.mark.parametrize(
    ("what", "exit_code", "said"),
    [
        ("say", 0, "said"),
        ("fail", 1, "LookupError: it went wrong"),
        ("refuse", 5, "CommandError: not like this"),
        ("exit", 3, ""),
        ("abandon", 1, "CancelledError"),
        ("exit-0", 0, ""),
        ("ask", 1, "a function cannot give: use --noinput"),
        ("interleave", 0, "one two\nthree "),
    ],
)
def test_exit_code_and_output_are_the_commands_own(
    stage: Stage, what: str, exit_code: int, said: str
):
    ended = stage.remote("misbehave", what)

    assert ended.returncode == exit_code, ended.stderr
    assert said in ended.stdout


def test_arguments_arrive_as_they_were_given(stage: Stage):
    ended = stage.remote("--", "misbehave", "a b; 'c' $HOME")

    assert "AttributeError" in ended.stdout
    assert "a b; 'c' $HOME" in ended.stdout


def test_wrong_arguments_are_told_as_manage_py_does(stage: Stage):
    ended = stage.remote("migrate", "--nonsense")

    assert ended.returncode == 2
    assert "usage: manage.py migrate" in ended.stdout
    assert "unrecognized arguments: --nonsense" in ended.stdout


def test_help_is_the_commands_own(stage: Stage):
    ended = stage.remote("migrate", "--help")

    assert ended.returncode == 0
    assert "--fake-initial" in ended.stdout


# What is not allowed


@pytest.mark.parametrize("name", ["shell", "dbshell", "runserver", "test", "absent"])
def test_a_command_that_the_settings_do_not_name_is_not_run(stage: Stage, name: str):
    ended = stage.remote(name)

    assert ended.returncode == 126
    assert f"'{name}' may not be run here." in ended.stdout
    assert "migrate" in ended.stdout


@pytest.mark.parametrize("option", ["--settings", "--pythonpath", "--setting"])
def test_no_argument_names_code_to_import(stage: Stage, option: str):
    event = {"argv": ["check", f"{option}=evil"]}

    result, _ = stage.endpoint.invoke(NAME, "", event)

    assert result["exit_code"] == 2
    assert "do not work in a function" in result["output"]


# While it runs


def test_output_is_shown_as_it_is_produced(stage: Stage):
    with stage.table_held("auth_group"):
        process = stage.start("--stage", "test", "misbehave", "wait")
        assert process.stdout
        # It cannot have ended yet.
        assert process.stdout.readline() == "waiting\n"

    rest = finish(process)
    assert rest.stdout == "waited\n"
    assert rest.returncode == 0


def test_lines_come_once_and_in_order_and_nobody_elses(stage: Stage):
    other = stage.start("--stage", "test", "check")

    ended = stage.remote("misbehave", "lines", "--count", "2000")

    numbers = [int(line.split()[1].rstrip(":")) for line in ended.stdout.splitlines()]
    assert numbers == list(range(1, 2001))
    assert finish(other).returncode == 0


def test_output_over_six_megabytes_arrives_whole_by_the_log(stage: Stage):
    ended = stage.remote("misbehave", "lines", "--count", "60000")

    assert ended.returncode == 0, ended.stderr
    numbers = [int(line.split()[1].rstrip(":")) for line in ended.stdout.splitlines()]
    assert numbers == list(range(1, 60001))


def test_without_the_log_the_output_comes_at_the_end(stage: Stage):
    # Nothing listens for logs there.
    ended = stage.remote(
        "misbehave", "say", variables={"AWS_ENDPOINT_URL_LOGS": "http://127.0.0.1:1"}
    )

    assert ended.returncode == 0
    assert ended.stdout == "said\n"


def test_ctrl_c_says_that_the_run_goes_on_and_it_does(stage: Stage):
    with stage.table_held("auth_group"):
        process = stage.start("--stage", "test", "misbehave", "wait")
        assert process.stdout
        assert process.stdout.readline() == "waiting\n"

        process.send_signal(signal.SIGINT)
        ended = finish(process)
        assert stage.locked()

    assert ended.returncode == 130
    assert f"The command goes on at {NAME}" in ended.stderr
    assert f"aws logs tail /aws/lambda/{NAME} --follow" in ended.stderr
    assert "Traceback" not in ended.stderr
    token = ended.stderr.partition("'\"")[2][:32]
    assert eventually(
        lambda: any(
            entry.get("run") == token and entry.get("exit_code") == 0
            for entry in stage.log()
        )
    )


def test_ctrl_c_after_the_end_says_that_it_has_ended(stage: Stage):
    # More than a pipe holds, and none of it before the result.
    process = stage.start(
        *("--stage", "test", "misbehave", "lines", "--count", "5000"),
        variables={"AWS_ENDPOINT_URL_LOGS": "http://127.0.0.1:1"},
    )
    assert process.stdout
    assert process.stdout.readline().startswith("line 1:")

    process.send_signal(signal.SIGINT)
    ended = finish(process)

    assert ended.returncode == 130
    assert f"The command has ended at {NAME} with exit code 0." in ended.stderr
    assert f"aws logs tail /aws/lambda/{NAME} --since" in ended.stderr
    assert "goes on" not in ended.stderr
    assert "Traceback" not in ended.stderr
    token = ended.stderr.partition("'\"")[2][:32]
    assert eventually(
        lambda: any(
            entry.get("run") == token and entry.get("exit_code") == 0
            for entry in stage.log()
        )
    )


# Time


def test_a_command_out_of_time_is_rolled_back_and_says_so(stage: Stage):
    stage.remote("check")
    stage.endpoint.timeout = 6

    ended = stage.remote("misbehave", "sleep")

    assert ended.returncode == 124, ended.stderr
    assert "asleep\n" in ended.stdout
    assert "The time was up" in ended.stdout
    assert stage.server.ask("SELECT name FROM auth_group") == []
    assert not stage.locked()


def test_a_command_that_hides_the_interrupt_is_out_of_time_all_the_same(stage: Stage):
    stage.remote("check")
    stage.endpoint.timeout = 4

    ended = stage.remote("misbehave", "cancel")

    assert ended.returncode == 124
    assert "The time was up" in ended.stdout


def test_a_function_that_lambda_kills_is_told_from_one_that_failed(stage: Stage):
    stage.endpoint.timeout = 6

    ended = stage.remote("misbehave", "deaf")

    assert ended.returncode == 1
    assert f"{NAME} ran into Lambda's timeout and was killed." in ended.stderr
    assert "Traceback" not in ended.stderr
    assert eventually(lambda: not stage.locked())


# createsuperuser

PASSWORD = "correct horse battery staple"


def test_a_superuser_is_made_and_can_log_in_and_nobody_wrote_the_password_down(
    stage: Stage,
):
    ended = stage.remote(
        "createsuperuser",
        *("--username", "operator", "--email", "operator@example.com"),
        variables={"DJANGO_SUPERUSER_PASSWORD": PASSWORD},
    )

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout.endswith("Superuser created successfully.\n")
    assert login(stage, PASSWORD) == 302
    [(stored,)] = stage.server.ask(
        "SELECT password FROM auth_user WHERE username = 'operator'"
    )
    log = "\n".join(stage.raw_log())
    for secret in (PASSWORD, stored, stored.split("$")[-1]):
        assert secret not in log + ended.stdout + ended.stderr
    # Nothing of it is left for the next invocation.
    assert stage.remote("misbehave", "environment").stdout == "[]\n"
    again = stage.remote(
        *("createsuperuser", "--username", "second", "--email", "b@example.com"),
        "--noinput",
    )
    assert again.returncode == 0
    [(unusable,)] = stage.server.ask(
        "SELECT password FROM auth_user WHERE username = 'second'"
    )
    assert unusable.startswith("!")


def login(stage: Stage, password: str) -> int:
    """Return the status that the admin's login page answers with."""
    from urllib.parse import urlencode

    from tests.aws_lambda.database.site import CSRF
    from tests.events import load_event

    form = {"csrfmiddlewaretoken": CSRF, "username": "operator", "password": password}
    event = load_event(
        "http_default_post", rawPath="/admin/login/", isBase64Encoded=False
    )
    event["cookies"] = [f"csrftoken={CSRF}"]
    event["body"] = urlencode(form)
    event["headers"]["content-length"] = str(len(event["body"]))
    result, _ = stage.endpoint.invoke("django-on-lambda-test-http", "", event)
    return int(result["statusCode"])


@pytest.mark.parametrize("again", [PASSWORD, "something else"])
def test_a_password_is_asked_for_twice_and_not_shown(stage: Stage, again: str):
    name = f"asked-{len(again)}"
    command = f"createsuperuser --username {name} --email {name}@example.com"
    shown, code = stage.converse(
        *command.split(),
        answers={"Password: ": PASSWORD, "Password (again): ": again},
    )

    made = stage.server.ask("SELECT 1 FROM auth_user WHERE username = %s", name)
    if again == PASSWORD:
        assert (code, made) == (0, [(1,)]), shown
    else:
        assert (code, made) == (1, []), shown
        assert "The two passwords are not the same." in shown
    assert PASSWORD not in shown


def test_a_password_that_is_too_weak_is_refused_here(stage: Stage):
    ended = stage.remote(
        *("createsuperuser", "--username", "weak", "--email", "weak@example.com"),
        variables={"DJANGO_SUPERUSER_PASSWORD": "password"},
    )

    assert ended.returncode == 1
    assert "too common" in ended.stderr
    assert stage.server.ask("SELECT 1 FROM auth_user WHERE username = 'weak'") == []


def test_a_hash_that_cannot_be_verified_is_refused_there(stage: Stage):
    event = {
        "argv": ["createsuperuser", "--username", "odd", "--email", "a@example.com"],
        "password_hash": "rot13$cnffjbeq",
    }

    result, _ = stage.endpoint.invoke(NAME, "", event)

    assert result["exit_code"] == 1
    assert "PASSWORD_HASHERS differ" in result["output"]
    assert stage.server.ask("SELECT 1 FROM auth_user WHERE username = 'odd'") == []


# What can go wrong before and after


@pytest.mark.parametrize(
    ("arguments", "variables", "sentence"),
    [
        (["--stage", "absent"], {}, "There is no function django-on-lambda-absent"),
        (["--region", "eu-west-3"], {}, "in eu-west-3. Look at --stage, --region"),
        (["--profile", "absent"], {}, "(ProfileNotFound)"),
        (
            ["--function-name", "django-on-lambda-test-denied"],
            {},
            "Your role needs lambda:InvokeFunction on it.",
        ),
        (
            ["--function-name", "django-on-lambda-test-busy"],
            {},
            "Nothing was run; try again soon.",
        ),
        (
            ["--function-name", "django-on-lambda-test-broken"],
            {},
            "does not start, so nothing was run",
        ),
        (
            ["--function-name", "django-on-lambda-test-http"],
            {},
            "failed (UnsupportedEvent): This looks like a remote command's event",
        ),
        (
            [],
            {
                "AWS_ACCESS_KEY_ID": "",
                "AWS_SECRET_ACCESS_KEY": "",
                "AWS_EC2_METADATA_DISABLED": "true",
            },
            "There are no AWS credentials",
        ),
        (
            [],
            {"AWS_REGION": "", "AWS_DEFAULT_REGION": ""},
            "Which region? Give --region",
        ),
        (
            [],
            {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"},
            "Lambda cannot be reached in eu-central-1",
        ),
    ],
)
def test_one_sentence_says_what_is_wrong_and_what_to_do(
    stage: Stage, arguments: list[str], variables: dict[str, str], sentence: str
):
    ended = stage.remote(*arguments, "check", variables=variables)

    assert ended.returncode == 1
    assert sentence in ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""


def test_a_call_that_fails_is_not_repeated(stage: Stage):
    stage.asked.clear()

    stage.remote("--function-name", "django-on-lambda-test-busy", "migrate")

    assert stage.asked == ["django-on-lambda-test-busy"]


@pytest.mark.parametrize(
    "event",
    [
        None,
        [],
        {},
        {"argv": []},
        {"argv": "migrate"},
        {"argv": ["migrate", 1]},
        {"argv": ["migrate"], "token": "x"},
        {"argv": ["migrate"], "password_hash": "md5$a$b"},
        {"raw_command": "migrate"},
    ],
)
def test_any_other_event_is_refused(stage: Stage, event: Any):
    from local.lambda_service import FunctionError

    with pytest.raises(FunctionError) as refused:
        stage.endpoint.invoke(NAME, "", event)

    assert refused.value.type == "UnsupportedEvent"


def test_each_line_of_the_log_has_the_request_and_the_run(stage: Stage):
    ended = stage.remote("misbehave", "lines", "--count", "3")

    assert ended.returncode == 0
    entries = [entry for entry in stage.log() if "line 2:" in entry["message"]]
    last = entries[-1]
    assert last["line"] == 2
    assert last["command"] == "misbehave"
    assert last["request_id"]
    assert len(last["run"]) == 32


def test_the_end_of_an_invocation_can_be_read_by_who_called_it(stage: Stage):
    """LogType=Tail, which the release uses."""
    import base64

    import boto3

    client = boto3.client(
        "lambda",
        endpoint_url=stage.endpoint.url,
        region_name="eu-central-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )
    response = client.invoke(
        FunctionName=f"arn:aws:lambda:eu-central-1:123456789012:function:{NAME}",
        Qualifier="7",
        LogType="Tail",
        Payload=json.dumps({"argv": ["misbehave", "say"]}),
    )

    assert json.load(response["Payload"])["output"] == "said"
    assert response["ExecutedVersion"] == "7"
    assert "exit code 0" in base64.b64decode(response["LogResult"]).decode()
