"""Invoke a function of serverless-offline, by Lambda's API."""

import json
from http.client import HTTPConnection, HTTPException
from typing import Any

from ..lambda_service import FunctionError

# Longer than any function runs.
TIMEOUT_SECONDS = 960


def invoke(lambda_port: int, function: str, event: Any) -> Any:
    """
    Return what a function returns, None included.

    Raises FunctionError if it fails, does not exist, or cannot be reached.
    """
    # http.client ignores the proxy that urllib would use.
    connection = HTTPConnection("localhost", lambda_port, timeout=TIMEOUT_SECONDS)
    path = f"/2015-03-31/functions/{function}/invocations"
    try:
        connection.request("POST", path, json.dumps(event))
        response = connection.getresponse()
        body = response.read()
    except (OSError, HTTPException) as error:
        raise FunctionError("Unreachable", str(error) or type(error).__name__) from None
    finally:
        connection.close()
    result = json.loads(body) if body else None
    failure = result if isinstance(result, dict) else {}
    if "errorType" in failure:
        raise FunctionError(failure["errorType"], failure.get("errorMessage", ""))
    if response.status != 200:
        raise FunctionError("Refused", failure.get("Message", body.decode()))
    return result
