"""
The context object, the second argument of a handler.

https://docs.aws.amazon.com/lambda/latest/dg/python-context.html
"""

import json
import logging
import os
import sys
import time
from collections.abc import Mapping
from typing import Any

from .errors import RuntimeFault

# Of W3C's trace context, the fields that a context returns.
W3C_FIELDS = ("traceparent", "tracestate", "baggage")


# In the order in which they are printed.
IDENTITY_FIELDS = ("cognito_identity_id", "cognito_identity_pool_id")
CLIENT_FIELDS = (
    "installation_id",
    "app_title",
    "app_version_name",
    "app_version_code",
    "app_package_name",
)
CLIENT_CONTEXT_FIELDS = ("custom", "env", "client")


class Fields:
    """An object with fixed attributes, from a mapping; absent ones are None."""

    __slots__: tuple[str, ...] = ()

    def __init__(self, values: Mapping[str, Any]) -> None:
        for name in self.__slots__:
            setattr(self, name, values.get(name))

    def __repr__(self) -> str:
        return _repr(self, self.__slots__)


class CognitoIdentity(Fields):
    """The Amazon Cognito identity that authorised the request."""

    __slots__ = IDENTITY_FIELDS


class Client(Fields):
    """The app of the AWS Mobile SDK that sent the request."""

    __slots__ = CLIENT_FIELDS


class ClientContext(Fields):
    """What the caller of Invoke has sent as its ClientContext."""

    __slots__ = CLIENT_CONTEXT_FIELDS

    def __init__(self, values: Mapping[str, Any]) -> None:
        super().__init__(values)
        client = values.get("client")
        self.client = None if client is None else Client(client)


def read_environment() -> dict[str, str | None]:
    """Return the attributes that all invocations of an execution environment share."""
    return {
        "log_group_name": os.environ.get("AWS_LAMBDA_LOG_GROUP_NAME"),
        "log_stream_name": os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME"),
        "function_name": os.environ.get("AWS_LAMBDA_FUNCTION_NAME"),
        "memory_limit_in_mb": os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"),
        "function_version": os.environ.get("AWS_LAMBDA_FUNCTION_VERSION"),
    }


class LambdaContext:
    """
    The context of one invocation, with the attributes that AWS's client gives it.

    ``headers`` are those of the invocation, by their names in lower case;
    ``environment`` is what `read_environment` returns. Raises RuntimeFault if a header
    that holds JSON cannot be read.
    """

    def __init__(
        self, headers: Mapping[str, str], environment: Mapping[str, str | None]
    ) -> None:
        client = _object(headers, "client-context", "Client Context")
        identity = _object(headers, "cognito-identity", "Cognito Identity") or {}
        self.aws_request_id = headers.get("lambda-runtime-aws-request-id")
        self.__dict__ |= environment
        self.invoked_function_arn = (
            headers.get("lambda-runtime-invoked-function-arn") or None
        )
        self.tenant_id = headers.get("lambda-runtime-aws-tenant-id") or None
        self._w3c_fields = _take_w3c(client)
        self.client_context = None if client is None else ClientContext(client)
        self.identity = CognitoIdentity(
            {
                "cognito_identity_id": identity.get("cognitoIdentityId"),
                "cognito_identity_pool_id": identity.get("cognitoIdentityPoolId"),
            }
        )
        self._epoch_deadline_time_in_ms = int(
            headers.get("lambda-runtime-deadline-ms") or 0
        )

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until Lambda's timeout, at least 0."""
        return max(0, self._epoch_deadline_time_in_ms - int(time.time() * 1000))

    def w3c(self) -> dict[str, str]:
        """Return the W3C trace context of the invocation."""
        return dict(self._w3c_fields)

    def log(self, message: object) -> None:
        """Write to the log, past the loggers."""
        for handler in logging.getLogger().handlers:
            if hasattr(handler, "log_sink"):
                handler.log_sink.log(str(message))
                return
        sys.stdout.write(str(message))

    def __repr__(self) -> str:
        return _repr(self, REPR_FIELDS)


REPR_FIELDS = (
    "aws_request_id",
    "log_group_name",
    "log_stream_name",
    "function_name",
    "memory_limit_in_mb",
    "function_version",
    "invoked_function_arn",
    "client_context",
    "identity",
    "tenant_id",
)


def _repr(value: object, names: tuple[str, ...]) -> str:
    fields = ",".join(f"{name}={getattr(value, name)}" for name in names)
    return f"{type(value).__name__}([{fields}])"


def _object(headers: Mapping[str, str], name: str, title: str) -> Any:
    text = headers.get(f"lambda-runtime-{name}")
    if not text:
        return None
    try:
        return json.loads(text)
    except ValueError as error:
        raise RuntimeFault(
            "Runtime.LambdaContextUnmarshalError",
            f"Unable to parse {title} JSON: {error}",
        ) from None


def _take_w3c(client: Any) -> dict[str, str]:
    """Remove the trace context from a client context, and return its known fields."""
    sent = client.pop("w3c", None) if isinstance(client, dict) else None
    if not isinstance(sent, dict):
        return {}
    return {n: sent[n] for n in W3C_FIELDS if isinstance(sent.get(n), str)}
