"""The answer to one invocation, on its way to the Runtime API."""

from binascii import b2a_base64
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .chunked import ChunkedPost
from .connection import Connection, Response
from .errors import RuntimeFault, cause, describe
from .logs import LogSink
from .marshal import to_json

if TYPE_CHECKING:
    from ..invocation import Parts

INVOCATION = "/2018-06-01/runtime/invocation"
JSON = "application/json"
# 410: the invocation is over. 413: the answer is larger than Lambda's limit, which it
# has reported itself. The environment can serve the next one.
# https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html#runtimes-api-response
NOT_FATAL = {410, 413}


# What Lambda needs to pass a response on while it is made.
# https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html#runtimes-custom-response-streaming
ERROR_TYPE, ERROR_BODY = (
    "Lambda-Runtime-Function-Error-Type",
    "Lambda-Runtime-Function-Error-Body",
)
STREAMED = [
    ("Content-Type", "application/vnd.awslambda.http-integration-response"),
    ("Lambda-Runtime-Function-Response-Mode", "streaming"),
    ("Trailer", f"{ERROR_TYPE}, {ERROR_BODY}"),
]


class RuntimeAPIError(Exception):
    """The Runtime API has refused a request. The environment ends."""


class Reply:
    """
    The answer to an invocation: one call of one of the methods.

    ``invocation_id`` is sent back where Lambda has sent one. All methods raise
    RuntimeAPIError or OSError if the answer cannot be delivered.
    """

    def __init__(
        self,
        connection: Connection,
        request_id: str,
        invocation_id: str | None,
        log_sink: LogSink,
    ) -> None:
        self._connection = connection
        self._request_id = request_id
        self._invocation_id = invocation_id
        self._log_sink = log_sink

    def result(self, value: Any) -> None:
        """Send what a handler has returned, or the error that it is not JSON."""
        if isinstance(value, bytes):
            return self._post("response", [value], "application/unknown")
        try:
            body = to_json(value)
        except Exception as error:
            fault = RuntimeFault(
                "Runtime.MarshalError", f"Unable to marshal response: {error}"
            )
            return self.error(fault)
        return self.payload([body])

    def payload(self, parts: Sequence[bytes]) -> None:
        """Send a result that is JSON already, in parts."""
        self._post("response", parts, JSON)

    def stream(self, parts: "Parts") -> None:
        """
        Send a result chunk by chunk, each before the next one is made.

        What has cut it is sent in the trailers. Lambda ends the connection when the
        client is gone, which is not an error.
        """
        path = f"{INVOCATION}/{self._request_id}/response"
        post = ChunkedPost(self._connection, path, self._headers(STREAMED))
        response: Response | None = None
        try:
            for part in parts:
                post.send(part, parts.seconds_left())
            response = post.finish(trailers(parts.fault), parts.seconds_left())
        except TimeoutError:
            parts.cut("deadline")
        except ConnectionError:
            parts.cut("client")
            response = post.refusal()
        finally:
            self._connection.close()
        if response:
            self._check("response", response)

    def error(self, error: BaseException) -> None:
        """Log an exception, and send it."""
        described = describe(error, self._request_id)
        self._log_sink.log_error(described)
        headers = []
        if xray := cause(error):
            headers.append(("Lambda-Runtime-Function-XRay-Error-Cause", xray))
        self._post("error", [to_json(described)], JSON, headers)

    def _post(
        self,
        kind: str,
        body: Sequence[bytes],
        content_type: str,
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        sent = self._headers([("Content-Type", content_type), *headers])
        path = f"{INVOCATION}/{self._request_id}/{kind}"
        self._check(kind, self._connection.request("POST", path, sent, body))

    def _headers(self, headers: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
        sent = [*headers]
        if self._invocation_id:
            sent.append(("Lambda-Runtime-Invocation-Id", self._invocation_id))
        return sent

    def _check(self, kind: str, response: Response) -> None:
        if 200 <= response.status < 300:
            return
        problem = (
            f"Lambda answered {response.status} to the {kind} of {self._request_id}: "
            f"{response.body[:500].decode(errors='replace')}"
        )
        if response.status not in NOT_FATAL:
            raise RuntimeAPIError(problem)
        self._log_sink.log(f"[WARNING] {problem}\n")


def trailers(fault: tuple[str, str] | None) -> list[tuple[str, str]]:
    """Return the trailers of a response that was cut, or none."""
    if fault is None:
        return []
    kind, sentence = fault
    body = to_json({"errorType": kind, "errorMessage": sentence})
    return [(ERROR_TYPE, kind), (ERROR_BODY, b2a_base64(body, newline=False).decode())]
