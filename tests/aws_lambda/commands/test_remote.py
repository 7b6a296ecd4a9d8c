"""
`manage.py remote`: through boto3 to a function and its database.

Most tests run the client in this process. Those that start a process prove what only
a process has: its exit code, separate streams, signals and a terminal.
"""

import json
import signal
import socket
from collections.abc import Iterator
from contextlib import suppress
from threading import Thread
from typing import Any

import pytest

from tests.aws_lambda.commands.conftest import NAME, Stage, eventually, finish
from tests.names import SERVICE

# Nothing listens there.
NO_LOG = {"AWS_ENDPOINT_URL_CLOUDWATCH_LOGS": "http://127.0.0.1:1"}


@pytest.fixture(autouse=True)
def _timeout_of_28_seconds(stage: Stage) -> Iterator[None]:
    yield
    stage.endpoint.timeout = 28


def tables(stage: Stage, name: str) -> int:
    [(count,)] = stage.server.ask(
        "SELECT count(*) FROM pg_tables WHERE tablename = %s", name
    )
    return int(count)


# The process


def test_a_process_without_secrets_gets_output_and_exit_code(stage: Stage):
    ended = finish(stage.start("misbehave", "refuse"))

    assert ended.returncode == 5
    assert ended.stdout == "CommandError: not like this\n"
    assert ended.stderr == ""


def test_an_error_is_written_to_stderr_only(stage: Stage):
    ended = finish(stage.start("--function-name", "absent", "check"))

    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr.startswith("CommandError: There is no function absent:live in ")
    assert "Traceback" not in ended.stderr


# migrate


def test_migrate_shows_its_plan_and_then_migrates(stage: Stage):
    # Another module may have migrated the stage before.
    stage.remote("migrate", "site", "zero")

    plan = stage.remote("migrate", "site", "0001", "--plan")
    assert plan.returncode == 0, plan.stderr
    assert "site.0001_table" in plan.stdout
    assert tables(stage, "whole") == 0

    done = stage.remote("migrate", "site", "0001")

    assert done.returncode == 0, done.stderr
    assert "Applying site.0001_table... OK" in done.stdout
    assert tables(stage, "whole") == 1


def test_a_failed_migration_shows_its_traceback_and_is_rolled_back(stage: Stage):
    stage.remote("migrate", "site", "0001")

    failed = stage.remote("migrate", "site", "0002")

    assert failed.returncode == 1
    assert "Traceback (most recent call last)" in failed.stdout
    assert "LookupError: in the middle of a migration" in failed.stdout
    assert tables(stage, "half") == 0
    shown = stage.remote("showmigrations", "site")
    assert "[X] 0001_table\n [ ] 0002_half" in shown.stdout


def test_a_second_migration_is_refused_while_one_runs(stage: Stage):
    with stage.table_held("django_migrations"):
        first = stage.start("migrate")
        assert eventually(stage.waits_for_table)

        second = stage.remote("migrate")

    assert second.returncode == 75
    assert "Another run of migrate is in progress: request " in second.stdout
    assert "This run did nothing." in second.stdout
    ended = finish(first)
    assert "Another run" not in ended.stdout
    # The lock is free again, and the first was not disturbed by the second.
    assert "Another run" not in stage.remote("migrate", "auth").stdout


def test_the_request_that_holds_the_lock_is_in_the_log(stage: Stage):
    with stage.table_held("auth_group"):
        first = stage.start("misbehave", "wait")
        assert eventually(stage.waits_for_table)
        second = stage.remote("misbehave", "say")
    assert finish(first).returncode == 0

    holder = second.stdout.partition("request ")[2].partition(",")[0]
    mine = [entry for entry in stage.log() if entry.get("request_id") == holder]
    assert "misbehave ended with exit code 0" in [entry["message"] for entry in mine]


# Exit code, output and arguments


@pytest.mark.parametrize(
    ("what", "exit_code", "text"),
    [
        ("say", 0, "said"),
        ("fail", 1, "LookupError: it went wrong"),
        ("refuse", 5, "CommandError: not like this"),
        ("exit", 3, ""),
        ("abandon", 1, "CancelledError"),
        ("exit-0", 0, ""),
        ("ask", 1, "a Lambda function has none. Pass --noinput"),
        ("interleave", 0, "one two\nthree "),
    ],
)
def test_exit_code_and_output_are_those_of_the_command(
    stage: Stage, what: str, exit_code: int, text: str
):
    ended = stage.remote("misbehave", what)

    assert ended.returncode == exit_code, ended.stderr
    assert text in ended.stdout


def test_arguments_are_passed_unchanged(stage: Stage):
    ended = stage.remote("--", "misbehave", "a b; 'c' $HOME")

    assert "AttributeError" in ended.stdout
    assert "a b; 'c' $HOME" in ended.stdout


def test_wrong_arguments_are_answered_with_the_usage(stage: Stage):
    ended = stage.remote("migrate", "--nonsense")

    assert ended.returncode == 2
    assert "usage: manage.py migrate" in ended.stdout
    assert "unrecognized arguments: --nonsense" in ended.stdout


def test_help_after_the_name_is_that_of_the_command(stage: Stage):
    ended = stage.remote("migrate", "--help")

    assert ended.returncode == 0
    assert "--fake-initial" in ended.stdout


# Refused


@pytest.mark.parametrize("name", ["shell", "dbshell", "runserver", "test", "absent"])
def test_a_command_that_the_settings_do_not_allow_is_refused(stage: Stage, name: str):
    ended = stage.remote(name)

    assert ended.returncode == 126
    assert f"'{name}' is not allowed here." in ended.stdout
    assert "migrate" in ended.stdout


@pytest.mark.parametrize("option", ["--settings", "--pythonpath", "--setting"])
def test_arguments_that_name_code_to_import_are_refused(stage: Stage, option: str):
    event = {"argv": ["check", f"{option}=evil"]}

    result, _ = stage.endpoint.invoke(NAME, "", event)

    assert result["exit_code"] == 2
    assert "A function does not support --settings" in result["output"]


# While it runs


def test_output_is_shown_while_the_command_runs(stage: Stage):
    with stage.table_held("auth_group"):
        process = stage.start("misbehave", "wait")
        assert process.stdout
        # The command still waits for the table.
        assert process.stdout.readline() == "waiting\n"

    rest = finish(process)
    assert rest.stdout == "waited\n"
    assert rest.returncode == 0


def test_lines_of_one_run_are_shown_once_and_in_order(stage: Stage):
    other = stage.start("misbehave", "say")

    ended = stage.remote("misbehave", "lines", "--count", "2000")

    numbers = [int(line.split()[1].rstrip(":")) for line in ended.stdout.splitlines()]
    assert numbers == list(range(1, 2001))
    assert finish(other).returncode == 0


def test_of_an_output_over_six_megabytes_the_end_is_shown(stage: Stage):
    # Without the log, all that is shown comes from the result.
    name = f"{SERVICE}-test-huge"
    ended = stage.remote(
        *("--function-name", name, "misbehave", "lines"),
        *("--count", "7000", "--width", "1000"),
        variables=NO_LOG,
    )

    assert ended.returncode == 0, ended.stderr
    numbers = [int(line.split()[1].rstrip(":")) for line in ended.stdout.splitlines()]
    first = numbers[0]
    assert 1 < first < 2000
    assert numbers == list(range(first, 7001))
    assert (
        f"Lines 1 to {first - 1:,} of 7,000 are not in Lambda's response"
        in ended.stderr
    )
    assert f"only in the log group /aws/lambda/{name}." in ended.stderr
    token = ended.stderr.partition("'\"")[2][:32]
    assert (
        f"  aws logs tail /aws/lambda/{name} --since 1h "
        f"--filter-pattern '\"{token}\"' --region eu-central-1" in ended.stderr
    )
    # The log has all of them.
    logged = [
        entry["line"]
        for entry in stage.log(name)
        if entry.get("run") == token and "line" in entry
    ]
    assert sorted(logged) == list(range(1, 7001))


def test_without_the_log_the_output_is_shown_at_the_end(stage: Stage):
    ended = stage.remote("misbehave", "say", variables=NO_LOG)

    assert ended.returncode == 0
    assert ended.stdout == "said\n"


def test_ctrl_c_does_not_stop_the_command(stage: Stage):
    with stage.table_held("auth_group"):
        process = stage.start("misbehave", "wait")
        assert process.stdout
        assert process.stdout.readline() == "waiting\n"

        process.send_signal(signal.SIGINT)
        ended = finish(process)
        assert stage.locked()

    assert ended.returncode == 130
    assert f"The command is still running on {NAME}:live" in ended.stderr
    assert f"aws logs tail /aws/lambda/{NAME} --follow" in ended.stderr
    assert "Traceback" not in ended.stderr
    token = ended.stderr.partition("'\"")[2][:32]
    assert eventually(
        lambda: any(
            entry.get("run") == token and entry.get("exit_code") == 0
            for entry in stage.log()
        )
    )


def test_ctrl_c_while_the_result_is_shown_reports_the_exit_code(stage: Stage):
    # More than a pipe holds, and none of it before the result.
    process = stage.start(
        *("misbehave", "lines", "--count", "5000"),
        variables=NO_LOG,
    )
    assert process.stdout
    assert process.stdout.readline().startswith("line 1:")

    process.send_signal(signal.SIGINT)
    ended = finish(process)

    assert ended.returncode == 130
    assert f"The command ended on {NAME}:live with exit code 0." in ended.stderr
    assert f"aws logs tail /aws/lambda/{NAME} --since" in ended.stderr
    assert "still running" not in ended.stderr
    assert "Traceback" not in ended.stderr
    token = ended.stderr.partition("'\"")[2][:32]
    assert eventually(
        lambda: any(
            entry.get("run") == token and entry.get("exit_code") == 0
            for entry in stage.log()
        )
    )


class Wire:
    """A connection to a port that a gateway may drop."""

    def __init__(self, port: int) -> None:
        self.target = ("127.0.0.1", port)
        self.server = socket.create_server(("127.0.0.1", 0))
        self.open: list[socket.socket] = []
        self.url = f"http://127.0.0.1:{self.server.getsockname()[1]}"
        Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        with suppress(OSError):
            while True:
                ends = [self.server.accept()[0], socket.create_connection(self.target)]
                self.open += ends
                for source, sink in (ends, reversed(ends)):
                    Thread(target=self.copy, args=(source, sink), daemon=True).start()

    def copy(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                sink.sendall(data)

    def drop(self) -> None:
        self.server.close()
        for end in self.open:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def test_a_lost_connection_loses_neither_output_nor_exit_code(stage: Stage):
    wire = Wire(stage.endpoint.server_port)
    with stage.table_held("auth_group"):
        process = stage.start(
            "misbehave", "wait", variables={"AWS_ENDPOINT_URL_LAMBDA": wire.url}
        )
        assert process.stdout
        assert process.stdout.readline() == "waiting\n"

        wire.drop()
        assert process.stderr
        assert "The connection to Lambda was lost" in process.stderr.readline()

    ended = finish(process)
    assert ended.stdout == "waited\n"
    assert ended.returncode == 0, ended.stderr


def test_a_connection_that_is_lost_without_a_log_is_reported(stage: Stage):
    wire = Wire(stage.endpoint.server_port)
    with stage.table_held("auth_group"):
        process = stage.start(
            *("misbehave", "wait"),
            variables={**NO_LOG, "AWS_ENDPOINT_URL_LAMBDA": wire.url},
        )
        assert eventually(stage.waits_for_table)
        wire.drop()
        ended = finish(process)

    assert ended.returncode == 1
    assert "CommandError: The connection to Lambda was lost before" in ended.stderr
    assert "The command may still be running" in ended.stderr


# The deadline


def test_a_command_that_exceeds_the_deadline_is_rolled_back(stage: Stage):
    stage.remote("check")
    stage.endpoint.timeout = 3

    ended = stage.remote("misbehave", "sleep")

    assert ended.returncode == 124, ended.stderr
    assert "asleep\n" in ended.stdout
    assert "Deadline exceeded in misbehave: " in ended.stdout
    assert stage.server.ask("SELECT name FROM auth_group") == []
    assert not stage.locked()


def test_a_command_that_exits_at_the_interrupt_exceeded_the_deadline(stage: Stage):
    stage.remote("check")
    stage.endpoint.timeout = 3

    ended = stage.remote("misbehave", "cancel")

    assert ended.returncode == 124
    assert "Deadline exceeded in misbehave: " in ended.stdout


def test_a_function_that_lambda_killed_is_reported(stage: Stage):
    stage.endpoint.timeout = 3

    ended = stage.remote("misbehave", "deaf")

    assert ended.returncode == 1
    assert f"{NAME}:live reached its Lambda timeout and was killed." in ended.stderr
    assert "Traceback" not in ended.stderr
    assert eventually(lambda: not stage.locked())


# createsuperuser

PASSWORD = "correct horse battery staple"


def test_a_superuser_can_log_in_and_the_password_is_nowhere_else(stage: Stage):
    ended = stage.remote(
        "createsuperuser",
        *("--username", "operator", "--email", "operator@example.com"),
        variables={"DJANGO_SUPERUSER_PASSWORD": PASSWORD},
    )

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout.endswith("Superuser created successfully.\n")
    assert login(stage, PASSWORD) == 302
    [(stored,)] = stage.server.ask(
        "SELECT password FROM accounts_user WHERE username = 'operator'"
    )
    log = "\n".join(stage.raw_log())
    for secret in (PASSWORD, stored, stored.split("$")[-1]):
        assert secret not in log + ended.stdout + ended.stderr
    # The next invocation finds nothing of it.
    assert stage.remote("misbehave", "environment").stdout == "[]\n"
    again = stage.remote(
        *("createsuperuser", "--username", "second", "--email", "b@example.com"),
        "--noinput",
    )
    assert again.returncode == 0
    [(unusable,)] = stage.server.ask(
        "SELECT password FROM accounts_user WHERE username = 'second'"
    )
    assert unusable.startswith("!")


def login(stage: Stage, password: str) -> int:
    """Return the status of a login in the admin."""
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
    result, _ = stage.endpoint.invoke(f"{SERVICE}-test-http", "", event)
    return int(result["statusCode"])


@pytest.mark.parametrize("again", [PASSWORD, "something else"])
def test_a_password_is_typed_twice_and_not_echoed(stage: Stage, again: str):
    name = f"asked-{len(again)}"
    command = f"createsuperuser --username {name} --email {name}@example.com"
    shown, code = stage.converse(
        *command.split(),
        answers={"Password: ": PASSWORD, "Password (again): ": again},
    )

    made = stage.server.ask("SELECT 1 FROM accounts_user WHERE username = %s", name)
    if again == PASSWORD:
        assert (code, made) == (0, [(1,)]), shown
    else:
        assert (code, made) == (1, []), shown
        assert "The two passwords are not the same." in shown
    assert PASSWORD not in shown


def test_a_weak_password_is_rejected_before_anything_is_sent(stage: Stage):
    ended = stage.remote(
        *("createsuperuser", "--username", "weak", "--email", "weak@example.com"),
        variables={"DJANGO_SUPERUSER_PASSWORD": "password"},
    )

    assert ended.returncode == 1
    assert "AUTH_PASSWORD_VALIDATORS rejected the password: " in ended.stderr
    assert "too common" in ended.stderr
    assert stage.server.ask("SELECT 1 FROM accounts_user WHERE username = 'weak'") == []


def test_a_hash_that_the_stage_cannot_verify_is_refused(stage: Stage):
    event = {
        "argv": ["createsuperuser", "--username", "odd", "--email", "a@example.com"],
        "password_hash": "rot13$cnffjbeq",
    }

    result, _ = stage.endpoint.invoke(NAME, "", event)

    assert result["exit_code"] == 1
    assert "PASSWORD_HASHERS differ" in result["output"]
    assert stage.server.ask("SELECT 1 FROM accounts_user WHERE username = 'odd'") == []


# Failures before and after the run


@pytest.mark.parametrize(
    ("arguments", "variables", "message"),
    [
        (
            ["--stage", "absent"],
            {},
            f"There is no function {SERVICE}-absent-manage:live",
        ),
        (
            ["--region", "eu-west-3"],
            {},
            "in eu-west-3. eu-west-3 is from --region; AWS_REGION has eu-central-1. "
            "Ask another region with --region eu-central-1, check --stage",
        ),
        (
            [],
            {"AWS_REGION": "eu-west-3"},
            "in eu-west-3. eu-west-3 is from AWS_REGION; AWS_DEFAULT_REGION has eu-ce",
        ),
        (["--profile", "absent"], {}, "The config profile (absent) could not be found"),
        (
            ["--function-name", f"{SERVICE}-test-denied"],
            {},
            "your role needs lambda:InvokeFunction on it.",
        ),
        (
            ["--function-name", f"{SERVICE}-test-busy"],
            {},
            "The command did not run. Run it again in a minute.",
        ),
        (
            ["--function-name", f"{SERVICE}-test-broken"],
            {},
            "failed to start, so the command did not run",
        ),
        (
            ["--function-name", f"{SERVICE}-test-http"],
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
            {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"},
            "No connection to 127.0.0.1:1: Failed to establish a new connection",
        ),
    ],
)
def test_a_failure_is_one_message_on_stderr(
    stage: Stage, arguments: list[str], variables: dict[str, str], message: str
):
    ended = stage.remote(*arguments, "check", variables=variables)

    assert ended.returncode == 1
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""


def test_a_failed_call_is_not_retried(stage: Stage):
    stage.made.clear()

    stage.remote("--function-name", f"{SERVICE}-test-busy", "migrate")

    assert stage.made == [f"{SERVICE}-test-busy"]


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
    from apps.aws_lambda.cli.lambda_service import FunctionError

    with pytest.raises(FunctionError) as refused:
        stage.endpoint.invoke(NAME, "", event)

    assert refused.value.type == "UnsupportedEvent"


def test_a_log_line_has_the_request_id_and_the_run(stage: Stage):
    ended = stage.remote("misbehave", "lines", "--count", "3")

    assert ended.returncode == 0
    entries = [entry for entry in stage.log() if "line 2:" in entry["message"]]
    last = entries[-1]
    assert last["line"] == 2
    assert last["command"] == "misbehave"
    assert last["request_id"]
    assert len(last["run"]) == 32


def test_log_type_tail_returns_the_end_of_the_log(stage: Stage):
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
