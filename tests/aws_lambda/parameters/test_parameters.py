"""References to parameters and secrets in the environment."""

import json
import ssl
import subprocess
import sys
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from werkzeug.serving import make_ssl_devcert

from apps.aws_lambda.aws import http, service
from apps.aws_lambda.aws.http import send
from apps.aws_lambda.cli.ports import free_port
from apps.aws_lambda.parameters import (
    ParametersError,
    references,
    refresh,
    refresh_if_stale,
    resolve,
    sources,
)
from apps.aws_lambda.parameters.references import Reference
from tests.services.aws import AWS, REGION
from tests.services.http_stub import Answer, HttpStub, Request
from tests.services.install import PROJECT

ARN = f"arn:aws:secretsmanager:{REGION}:123456789012:secret:site/db-AbCdEf"
SECRET = "hunter2-hunter2-hunter2"


@pytest.fixture(scope="module")
def server() -> Iterator[AWS]:
    with AWS() as running:
        yield running


@pytest.fixture
def aws(server: AWS) -> Iterator[AWS]:
    yield server
    server.reset()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the operations that were called, in order."""
    operations: list[str] = []

    def record(method, url, headers, *args, **kwargs):
        operations.append(headers["x-amz-target"].partition(".")[2])
        return send(method, url, headers, *args, **kwargs)

    monkeypatch.setattr(service, "send", record)
    return operations


def put_parameter(aws: AWS, name: str, value: str) -> None:
    aws.client("ssm").put_parameter(
        Name=name, Value=value, Type="SecureString", Overwrite=True
    )


def put_secret(aws: AWS, name: str, value: str) -> str:
    arn: str = aws.client("secretsmanager").create_secret(
        Name=name, SecretString=value
    )["ARN"]
    return arn


# A stub for what the local AWS cannot do: deny, throttle, time out.


def environment(stub: HttpStub, **variables: str) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": stub.url,
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "the-secret-access-key",
        "AWS_SESSION_TOKEN": "the-session-token",
        **variables,
    }


def operation(request: Request) -> str:
    return request.headers["x-amz-target"].partition(".")[2]


def refusal(code: str) -> tuple[int, str]:
    return 400, json.dumps({"__type": f"com.example#{code}", "message": SECRET})


def parameter_store(values: dict[str, str], names: list[str]) -> tuple[int, str]:
    found = [{"Name": n, "Value": values[n]} for n in names if n in values]
    return 200, json.dumps({"Parameters": found})


def names_in(request: Request) -> list[str]:
    names: list[str] = json.loads(request.body)["Names"]
    return names


@pytest.mark.parametrize(
    ("value", "reference"),
    [
        ("ssm:/site/prod/key", Reference("ssm", "/site/prod/key", "")),
        ("ssm:/site/key:3", Reference("ssm", "/site/key:3", "")),
        ("secretsmanager:site/db", Reference("secretsmanager", "site/db", "")),
        ("secretsmanager:site/db:url", Reference("secretsmanager", "site/db", "url")),
        (f"secretsmanager:{ARN}", Reference("secretsmanager", ARN, "")),
        (f"secretsmanager:{ARN}:url", Reference("secretsmanager", ARN, "url")),
        ("postgres://user:password@host/db", None),
        ("redis:secretsmanager:name", None),
        (" ssm:/site/key", None),
        ("ssm", None),
        ("", None),
    ],
)
def test_a_reference_is_distinguished_from_a_value(value, reference):
    assert Reference.parse(value) == reference


def test_every_kind_of_reference_is_replaced(aws):
    put_parameter(aws, "/site/key", "a key")
    arn = put_secret(aws, "site/db", '{"url": "postgres://...", "port": 5432}')
    environ = {
        **aws.environment(),
        "PARAMETER": "ssm:/site/key",
        "NAMED": "secretsmanager:site/db:url",
        "NUMBER": "secretsmanager:site/db:port",
        "WHOLE": f"secretsmanager:{arn}",
        "ARN": f"secretsmanager:{arn}:url",
        "PARTIAL_ARN": f"secretsmanager:{arn[:-7]}:url",
        "PLAIN": "as it is",
    }
    before = dict(environ)

    resolve(environ)

    assert environ == before | {
        "PARAMETER": "a key",
        "NAMED": "postgres://...",
        "NUMBER": "5432",
        "WHOLE": '{"url": "postgres://...", "port": 5432}',
        "ARN": "postgres://...",
        "PARTIAL_ARN": "postgres://...",
    }


def test_a_parameter_may_be_named_with_its_version_or_its_arn():
    arn = f"arn:aws:ssm:{REGION}:123456789012:parameter/site/key"
    shared = {"Name": "/site/key", "ARN": arn}
    answer = {
        "Parameters": [
            {**shared, "Value": "second"},
            {**shared, "Value": "first", "Selector": ":1"},
        ]
    }
    with HttpStub(lambda request: (200, json.dumps(answer))) as stub:
        environ = environment(
            stub,
            LATEST="ssm:/site/key",
            VERSION="ssm:/site/key:1",
            ARN=f"ssm:{arn}",
            ARN_AND_VERSION=f"ssm:{arn}:1",
        )
        resolve(environ)

    assert (environ["LATEST"], environ["ARN"]) == ("second", "second")
    assert (environ["VERSION"], environ["ARN_AND_VERSION"]) == ("first", "first")


def test_each_service_is_called_once(aws, asked):
    for number in range(3):
        put_parameter(aws, f"/p/{number}", "x")
        put_secret(aws, f"s/{number}", '{"a": "x", "b": "x"}')
    environ = aws.environment()
    environ |= {f"P{n}": f"ssm:/p/{n}" for n in range(3)}
    environ |= {f"S{n}{k}": f"secretsmanager:s/{n}:{k}" for n in range(3) for k in "ab"}

    resolve(environ)

    assert asked == ["GetParameters", "BatchGetSecretValue"]
    assert {environ["P0"], environ["P2"], environ["S0a"], environ["S2b"]} == {"x"}


def test_many_names_are_fetched_in_batches(aws, asked):
    for number in range(21):
        put_parameter(aws, f"/p/{number}", f"p{number}")
        put_secret(aws, f"s/{number}", f"s{number}")
    environ = aws.environment()
    environ |= {f"P{n}": f"ssm:/p/{n}" for n in range(21)}
    environ |= {f"S{n}": f"secretsmanager:s/{n}" for n in range(21)}

    resolve(environ)

    assert asked == ["GetParameters"] * 3 + ["BatchGetSecretValue", "GetSecretValue"]
    assert [environ[f"P{n}"] for n in range(21)] == [f"p{n}" for n in range(21)]
    assert [environ[f"S{n}"] for n in range(21)] == [f"s{n}" for n in range(21)]


def test_without_a_reference_no_call_is_made(asked):
    # Without a region and credentials, a call would fail.
    environ = {"DATABASE_URL": "postgres://u:p@host/db", "DEBUG": "False"}
    before = dict(environ)

    resolve(environ)

    assert (environ, asked) == (before, [])
    assert refresh() == {}


def test_one_error_has_the_reason_for_every_variable(aws):
    put_parameter(aws, "/site/good", SECRET)
    put_secret(aws, "text", SECRET)
    put_secret(aws, "list", f'["{SECRET}"]')
    put_secret(aws, "object", json.dumps({"good": SECRET, "empty": None}))
    aws.client("secretsmanager").create_secret(Name="binary", SecretBinary=b"\x00")
    environ = {
        **aws.environment(),
        "GOOD": "ssm:/site/good",
        "NO_PARAMETER": "ssm:/site/none",
        "NO_SECRET": "secretsmanager:none",
        "NO_KEY": "secretsmanager:object:other",
        "NULL": "secretsmanager:object:empty",
        "NO_JSON": "secretsmanager:text:key",
        "NO_OBJECT": "secretsmanager:list:key",
        "BINARY": "secretsmanager:binary",
    }
    before = dict(environ)

    with pytest.raises(ParametersError) as raised:
        resolve(environ)

    assert str(raised.value) == (
        "No value for "
        "BINARY: the secret is binary, not text; "
        "NO_JSON: the secret is not JSON, so it has no keys; "
        "NO_KEY: the secret has no such key; "
        "NO_OBJECT: the secret has no such key; "
        "NO_PARAMETER: there is no such parameter; "
        "NO_SECRET: there is no such secret; "
        "NULL: the secret has no such key."
    )
    assert environ == before


def test_a_refresh_fetches_a_rotated_value(aws):
    put_parameter(aws, "/site/a", "old")
    put_parameter(aws, "/site/b", "old")
    environ = {**aws.environment(), "A": "ssm:/site/a"}
    resolve(environ)
    environ["B"] = "ssm:/site/b"
    resolve(environ)  # A is still known
    put_parameter(aws, "/site/a", "new")
    put_parameter(aws, "/site/b", "new")

    assert refresh("A", "PLAIN") == {"A": "new"}
    assert (environ["A"], environ["B"]) == ("new", "old")

    assert refresh() == {"A": "new", "B": "new"}
    assert environ["B"] == "new"


def test_a_failed_refresh_keeps_the_old_values(aws):
    put_parameter(aws, "/site/a", "old")
    environ = {**aws.environment(), "A": "ssm:/site/a"}
    resolve(environ)
    aws.client("ssm").delete_parameter(Name="/site/a")

    with pytest.raises(ParametersError, match="A: there is no such parameter"):
        refresh()

    assert environ["A"] == "old"


@pytest.mark.parametrize(
    ("ttl", "fresh", "stale"), [(None, 299, 300), ("60", 59, 60), ("", 299, 300)]
)
def test_stale_values_are_refreshed(aws, asked, monkeypatch, ttl, fresh, stale):
    put_parameter(aws, "/site/a", "old")
    environ = {**aws.environment(), "A": "ssm:/site/a"}
    if ttl is not None:
        environ["LAMBDA_PARAMETERS_TTL"] = ttl
    clock = SimpleNamespace(now=1_000_000.0)
    monkeypatch.setattr(references, "time", SimpleNamespace(time=lambda: clock.now))
    resolve(environ)
    put_parameter(aws, "/site/a", "new")

    clock.now += fresh
    assert refresh_if_stale() == {}
    assert len(asked) == 1

    clock.now += stale - fresh
    assert refresh_if_stale() == {"A": "new"}
    assert refresh_if_stale() == {}
    assert len(asked) == 2


def test_one_denied_parameter_does_not_fail_the_others():
    def answer(request: Request) -> Answer:
        if "/site/denied" in names_in(request):
            return refusal("AccessDeniedException")
        return parameter_store({"/site/a": "x", "/site/b": "x"}, names_in(request))

    with HttpStub(answer) as stub:
        environ = environment(
            stub, A="ssm:/site/a", B="ssm:/site/b", C="ssm:/site/denied"
        )
        with pytest.raises(ParametersError) as raised:
            resolve(environ)

    assert str(raised.value) == (
        "No value for C: the function's role has no permission."
    )


def test_a_denied_secret_is_reported():
    answer = {
        "SecretValues": [{"Name": "a", "ARN": f"{ARN}/a", "SecretString": SECRET}],
        "Errors": [{"SecretId": "b", "ErrorCode": "AccessDeniedException"}],
    }
    with HttpStub(lambda request: (200, json.dumps(answer))) as stub:
        environ = environment(stub, A="secretsmanager:a", B="secretsmanager:b")
        with pytest.raises(ParametersError) as raised:
            resolve(environ)

    assert str(raised.value) == (
        "No value for B: the function's role has no permission."
    )


def test_without_permission_for_batches_secrets_are_fetched_one_by_one():
    def answer(request: Request) -> Answer:
        if operation(request) == "BatchGetSecretValue":
            return refusal("AccessDeniedException")
        return 200, json.dumps({"SecretString": json.loads(request.body)["SecretId"]})

    with HttpStub(answer) as stub:
        environ = environment(stub, A="secretsmanager:a", B="secretsmanager:b")
        resolve(environ)

    assert (environ["A"], environ["B"]) == ("a", "b")


@pytest.mark.parametrize(
    "error", [refusal("ThrottlingException"), (500, "{}"), (503, "<html>")]
)
def test_a_temporary_error_is_retried(error):
    answers = iter([error, error])

    def answer(request: Request) -> Answer:
        return next(answers, parameter_store({"/a": "x"}, names_in(request)))

    with HttpStub(answer) as stub:
        environ = environment(stub, A="ssm:/a")
        resolve(environ)

    assert environ["A"] == "x"
    assert len(stub.requests) == 3


@pytest.mark.parametrize(
    ("answer", "reason", "requests"),
    [
        (
            refusal("ThrottlingException"),
            "AWS throttled the call with ThrottlingException (attempts: 3)",
            3,
        ),
        ((503, SECRET), "AWS returned status 503 (attempts: 3)", 3),
        (refusal("ExpiredTokenException"), "AWS returned ExpiredTokenException", 1),
    ],
)
def test_retries_are_bounded(answer, reason, requests):
    stub = HttpStub(lambda request: answer)
    with stub, pytest.raises(ParametersError) as raised:
        resolve(environment(stub, A="ssm:/a"))

    assert str(raised.value) == f"No value for A: {reason}."
    assert len(stub.requests) == requests


def test_a_slow_service_times_out(monkeypatch):
    monkeypatch.setattr(service, "SOCKET_TIMEOUT_SECONDS", 0.05)

    stub = HttpStub(lambda request: None)
    with stub, pytest.raises(ParametersError) as raised:
        resolve(environment(stub, A="ssm:/a"))

    host = stub.url.removeprefix("http://")
    assert str(raised.value) == (
        f"No value for A: {host} did not answer in time (attempts: 3)."
    )
    assert len(stub.requests) == 3


def test_all_calls_together_have_one_timeout(monkeypatch):
    monkeypatch.setattr(sources, "FETCH_TIMEOUT_SECONDS", 0.05)

    stub = HttpStub(lambda request: None)
    with stub, pytest.raises(ParametersError) as raised:
        resolve(environment(stub, A="ssm:/a", B="secretsmanager:b"))

    assert "(attempts: 1); B: the time for this call is over." in str(raised.value)
    assert [operation(request) for request in stub.requests] == ["GetParameters"]


def test_an_unreachable_service_is_reported():
    environ = {
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{free_port()}",
        "A": "ssm:/a",
    }

    with pytest.raises(ParametersError) as raised:
        resolve(environ)

    assert str(raised.value) == (
        f"No value for A: {environ['AWS_ENDPOINT_URL'].removeprefix('http://')} "
        "cannot be reached (ConnectionRefusedError) (attempts: 3)."
    )


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("eu-central-1", "ssm.eu-central-1.amazonaws.com"),
        ("cn-north-1", "ssm.cn-north-1.amazonaws.com.cn"),
    ],
)
def test_a_service_is_called_in_the_functions_region(monkeypatch, region, host):
    urls = []

    def answer(method, url, headers, body, **timeouts):
        urls.append((url, headers["host"]))
        found = {"Parameters": [{"Name": "/a", "Value": "x"}]}
        return http.Response(200, {}, json.dumps(found).encode())

    monkeypatch.setattr(service, "send", answer)

    resolve({"AWS_REGION": region, "AWS_ACCESS_KEY_ID": "a", "A": "ssm:/a"})

    assert urls == [(f"https://{host}/", host)]


@pytest.mark.parametrize(
    ("missing", "reason"),
    [
        ("AWS_REGION", "AWS_REGION is not set"),
        ("AWS_ACCESS_KEY_ID", "the environment has no AWS credentials"),
    ],
)
def test_a_missing_region_or_credential_is_reported(missing, reason):
    with HttpStub(lambda request: (500, "")) as stub:
        environ = environment(stub, A="ssm:/a")
        del environ[missing]
        with pytest.raises(ParametersError, match=f"No value for A: {reason}"):
            resolve(environ)

    assert stub.requests == []


def test_an_invalid_header_is_not_in_the_error():
    with HttpStub(lambda request: (500, "")) as stub:
        environ = environment(stub, A="ssm:/a", AWS_SESSION_TOKEN=f"{SECRET}\n")
        with pytest.raises(ParametersError) as raised:
            resolve(environ)

    assert SECRET not in str(raised.value)


def test_under_snapstart_the_credentials_come_from_the_local_url():
    given = {"AccessKeyId": "ASIASNAP", "SecretAccessKey": "s", "Token": "snap-token"}

    def answer(request: Request) -> Answer:
        if request.path == "/credentials":
            right = request.headers["authorization"] == "container-token"
            return (200, json.dumps(given)) if right else (403, "")
        return parameter_store({"/a": "x"}, names_in(request))

    with HttpStub(answer) as stub:
        environ = {
            "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL": stub.url,
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{stub.url}/credentials",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": "container-token",
            "A": "ssm:/a",
        }
        resolve(environ)
        headers = stub.requests[-1].headers
        assert environ["A"] == "x"
        assert "Credential=ASIASNAP/" in headers["authorization"]
        assert headers["x-amz-security-token"] == "snap-token"

        del environ["AWS_CONTAINER_AUTHORIZATION_TOKEN"]
        with pytest.raises(ParametersError, match="returned no credentials"):
            refresh()


def test_the_certificate_of_a_service_is_verified(monkeypatch, tmp_path):
    certificate, key = make_ssl_devcert(str(tmp_path / "tls"), "localhost")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate, key)
    http._tls_context.cache_clear()

    with HttpStub(lambda r: parameter_store({"/a": "x"}, names_in(r)), tls) as stub:
        url = f"https://localhost:{stub.server_port}"
        environ = environment(stub, A="ssm:/a", AWS_ENDPOINT_URL=url)
        with pytest.raises(ParametersError, match="SSLCertVerificationError"):
            resolve(environ)

        monkeypatch.setenv("SSL_CERT_FILE", certificate)
        http._tls_context.cache_clear()
        resolve(environ)

    http._tls_context.cache_clear()
    assert environ["A"] == "x"


# The init phase, in a process of its own.


def run(program: str, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=PROJECT,
        env={"ENV_FILE": "/dev/null", **environ},
        capture_output=True,
        text=True,
        check=False,
    )


PRODUCTION = {
    "STAGE": "prod",
    "ALLOWED_HOSTS": "example.com",
    "SECRET_KEY": "secretsmanager:site:secret_key",
    "DATABASE_URL": "ssm:/site/database-url",
}


def test_the_settings_have_the_values(aws):
    put_secret(aws, "site", json.dumps({"secret_key": SECRET * 3}))
    put_parameter(aws, "/site/database-url", "postgres://u:p@db.example.com:5432/site")
    program = (
        "import lambda_entry, json, sys; from django.conf import settings as s\n"
        "sdk = [name for name in sys.modules if name.startswith(('boto', 's3tr'))]\n"
        "print(json.dumps([s.SECRET_KEY, s.DATABASES['default']['HOST'], sdk]))"
    )

    process = run(program, {**aws.environment(), **PRODUCTION})

    assert process.returncode == 0, process.stderr
    assert json.loads(process.stdout.splitlines()[-1]) == [
        SECRET * 3,
        "db.example.com",
        [],
    ]


def test_a_failed_init_phase_logs_the_reason_and_no_secret(aws):
    put_secret(aws, "site", SECRET)
    environ = {**aws.environment(), **PRODUCTION, "AWS_SECRET_ACCESS_KEY": SECRET}

    process = run("import lambda_entry", environ)

    assert process.returncode == 1
    assert (
        "ParametersError: No value for "
        "DATABASE_URL: there is no such parameter; "
        "SECRET_KEY: the secret is not JSON, so it has no keys."
    ) in process.stdout + process.stderr
    assert SECRET not in process.stdout + process.stderr
