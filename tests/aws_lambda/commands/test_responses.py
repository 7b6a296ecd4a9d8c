"""What is not a response of AWS, in the protocol of each service."""

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from apps.aws_lambda.commands.remote.access import barrier, status_of
from apps.aws_lambda.commands.remote.responses import ForeignResponse, check_responses
from tests.services.http_stub import Answer, HttpStub

# The line break has no end tag: it is not XML.
PAGE = (
    "<!DOCTYPE html>\n<html><head><title>Blocked\n by Example</title></head><br></html>"
)
SHORT = "<html><br></html>"
TEXT = "upstream connect error"
# A service of each protocol, and those whose response is a stream.
CALLS: dict[str, Callable[[Callable[[str], Any]], Any]] = {
    "query": lambda client: client("cloudformation").describe_stacks(StackName="a"),
    "ec2": lambda client: client("ec2").describe_subnets(),
    "json": lambda client: client("ssm").get_parameters(Names=["a"]),
    "rest-json": lambda client: client("lambda").get_alias(FunctionName="a", Name="b"),
    "rest-json stream": lambda client: client("lambda").invoke(FunctionName="a"),
    "cbor": lambda client: client("cloudwatch").describe_alarms(),
    "rest-xml": lambda client: client("s3").put_object(Bucket="a", Key="b", Body=b""),
    "rest-xml stream": lambda client: client("s3").get_object(Bucket="a", Key="b"),
}


class Network:
    """A network in which something else responds; ``attempts`` are those of boto3."""

    def __init__(self) -> None:
        self.clients: dict[tuple[str, int], Any] = {}
        self.answer: Answer = (200, PAGE)
        self.stub = HttpStub(lambda request: self.answer)

    def client(self, service: str, attempts: int = 1) -> Any:
        if (service, attempts) not in self.clients:
            self.clients[service, attempts] = self.make(service, attempts)
        return self.clients[service, attempts]

    def make(self, service: str, attempts: int = 1) -> Any:
        client = boto3.client(
            service,
            region_name="eu-central-1",
            endpoint_url=self.stub.url,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
            config=Config(retries={"total_max_attempts": attempts}),
        )
        return check_responses(client)

    def error(self, protocol: str, status: int, body: str) -> Exception:
        """Return what a call raises."""
        self.answer = (status, body, {"Content-Type": "text/html; charset=utf-8"})
        with pytest.raises((ForeignResponse, ClientError)) as caught:
            CALLS[protocol](self.client)
        error: Exception = caught.value
        return error


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    network = Network()
    with network.stub:
        yield network


@pytest.mark.parametrize("body", [PAGE, SHORT, TEXT, "[1]", ""])
@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize("protocol", CALLS)
def test_a_gateway_that_fails_is_an_error_with_its_status(
    network: Network, protocol: str, status: int, body: str
):
    error = network.error(protocol, status, body)

    assert isinstance(error, ClientError)
    assert error.response["Error"]["Code"] == str(status)
    assert status_of(error) == status
    assert barrier(error) is None


@pytest.mark.parametrize("body", [PAGE, SHORT, TEXT])
@pytest.mark.parametrize("status", [302, 403, 451])
@pytest.mark.parametrize("protocol", CALLS)
def test_another_response_is_explained_with_the_proxy(
    network: Network, protocol: str, status: int, body: str
):
    found = barrier(network.error(protocol, status, body))

    assert found
    title = ' and the title "Blocked by Example"' if body == PAGE else ""
    assert found.reason == (
        f"The response is not that of AWS, but has status {status}{title}."
    )
    assert found.first.startswith("check the proxy and the VPN of this machine")
    assert not found.answered


@pytest.mark.parametrize("protocol", sorted(CALLS.keys() - {"rest-xml"}))
def test_a_page_is_not_a_result_without_values(network: Network, protocol: str):
    error = network.error(protocol, 200, PAGE)

    assert isinstance(error, ForeignResponse)


@pytest.mark.parametrize("protocol", ["query", "ec2", "json", "rest-json"])
def test_a_text_is_not_a_result_without_values(network: Network, protocol: str):
    assert isinstance(network.error(protocol, 200, TEXT), ForeignResponse)


def test_bytes_are_not_a_result(network: Network):
    """botocore's parser would raise UnicodeDecodeError."""
    body = b"\xff\xfe"
    client = network.make("ssm")
    client.meta.events.register_first(
        "before-parse", lambda response_dict, **_: response_dict.update(body=body)
    )

    with pytest.raises(ForeignResponse):
        client.get_parameters(Names=["a"])


def test_a_call_is_repeated_after_a_page_of_a_gateway(network: Network):
    network.answer = (502, PAGE)
    client = network.client("cloudformation", attempts=2)
    before = len(network.stub.requests)

    with pytest.raises(ClientError):
        client.describe_stacks(StackName="a")

    assert len(network.stub.requests) - before == 2


def test_the_body_is_not_printed(network: Network):
    text = '{"Parameter": {"Value": "secret"'

    assert "secret" not in str(network.error("json", 200, f"[{text}"))


@pytest.mark.parametrize(
    ("protocol", "status", "body"),
    [
        ("json", 200, '{"Parameters": []}'),
        ("rest-json", 200, '{"FunctionVersion": "1"}'),
        ("rest-json stream", 200, "null"),
        ("rest-xml", 200, ""),
        ("rest-xml stream", 200, "anything"),
        (
            "query",
            200,
            "<DescribeStacksResponse><DescribeStacksResult/></DescribeStacksResponse>",
        ),
    ],
)
def test_results_of_aws_are_returned(
    network: Network, protocol: str, status: int, body: str
):
    network.answer = (status, body)

    assert CALLS[protocol](network.client)


@pytest.mark.parametrize(
    ("protocol", "body", "code"),
    [
        ("json", '{"__type": "ParameterNotFound"}', "ParameterNotFound"),
        ("rest-xml", "<Error><Code>NoSuchBucket</Code></Error>", "NoSuchBucket"),
        (
            "query",
            "<R><Error><Code>Throttling</Code><Message>a</Message></Error></R>",
            "Throttling",
        ),
    ],
)
def test_errors_of_aws_keep_their_code(
    network: Network, protocol: str, body: str, code: str
):
    error = network.error(protocol, 400, body)

    assert isinstance(error, ClientError)
    assert error.response["Error"]["Code"] == code


def test_the_answer_to_a_head_request_has_no_body(network: Network):
    network.answer = (404, "")

    with pytest.raises(ClientError, match="404"):
        network.client("s3").head_object(Bucket="a", Key="b")
