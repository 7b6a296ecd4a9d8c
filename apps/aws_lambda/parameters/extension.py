"""
Ask the AWS Parameters and Secrets Lambda Extension, a cache on localhost.

https://docs.aws.amazon.com/systems-manager/latest/userguide/ps-integration-lambda-extensions.html
https://docs.aws.amazon.com/secretsmanager/latest/userguide/retrieving-secrets_lambda.html
"""

import json
from collections.abc import Collection, Iterator, Mapping
from urllib.parse import urlencode

from ..aws.http import AwsError, send

# Set by whoever adds the extension's layer: 2773 is what it listens to by default.
PORT = "PARAMETERS_SECRETS_EXTENSION_HTTP_PORT"
# Seconds for one answer, for which it may have to ask the service.
TIMEOUT = 2.0


def ask(
    environ: Mapping[str, str], wanted: Mapping[str, Collection[str]]
) -> Iterator[tuple[str, str, str]]:
    """
    Yield the service, name and value of whatever it answers; nothing if it is absent.

    It answers 400 until it is ready, which may be after we have initialised, and
    under SnapStart, which has no session token. It does not say why it has no
    value. So it is a short cut only: what it leaves is asked of the service.
    """
    if PORT not in environ:
        return
    headers = {"x-aws-parameters-secrets-token": environ.get("AWS_SESSION_TOKEN", "")}
    for service, names in wanted.items():
        for name in names:
            url = f"http://localhost:{environ[PORT]}{_path(service, name)}"
            try:
                status, body = send("GET", url, headers, timeout=TIMEOUT)
                answer = json.loads(body) if status == 200 else {}
                if service == "ssm":
                    yield service, name, answer["Parameter"]["Value"]
                else:
                    yield service, name, answer["SecretString"]
            except AwsError:
                # There is nobody, or nobody in time: do not wait for each name.
                return
            except (KeyError, TypeError, ValueError):
                continue


def _path(service: str, name: str) -> str:
    if service == "ssm":
        query = urlencode({"name": name, "withDecryption": "true"})
        return f"/systemsmanager/parameters/get?{query}"
    return f"/secretsmanager/get?{urlencode({'secretId': name})}"
