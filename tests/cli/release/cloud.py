"""A local AWS in which a stage can be released, and which serves its requests."""

import base64
import hashlib
import tempfile
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from operator import itemgetter
from pathlib import Path
from threading import Thread
from typing import Any, Self

from apps.aws_lambda.cli.lambda_service import ExecutionEnvironment, FunctionError
from apps.aws_lambda.cli.package.runtime import (
    chmod_folders,
    environment,
    lambda_runtime,
)
from apps.aws_lambda.test.rest_api import RestApi
from apps.aws_lambda.test.wire import Request
from tests.names import SERVICE
from tests.services.aws import AWS
from tests.services.local_lambda import Asked, LocalLambda

STACK = f"{SERVICE}-prod"


class Cloud:
    """
    moto, with functions that run: the archive uploaded to its S3, with the deployed
    environment variables, in the real runtime client.

    ``gateway`` is a REST API with the stage in its paths.
    """

    def __init__(self) -> None:
        self.aws = AWS()
        self.functions = LocalLambda(self.aws, self.make, timeout=120)
        self.gateway = Gateway(self)
        self._runtime = lambda_runtime()
        self._folders: dict[str, Path] = {}
        self._scratch = tempfile.TemporaryDirectory()

    def __enter__(self) -> Self:
        self.aws.start()
        self._libraries = self._runtime.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self.gateway.close()
        self.functions.close()
        self._runtime.__exit__(None, None, None)
        self.aws.stop()
        for folder in self._folders.values():
            chmod_folders(folder, 0o755)
        self._scratch.cleanup()

    def variables(self) -> dict[str, str]:
        """Return environment variables with which a program uses only this AWS."""
        return {
            **self.functions.environment(),
            # The CLI polls CloudFormation every five seconds by default.
            "SLS_AWS_MONITORING_FREQUENCY": "100",
        }

    def invoke(self, function: str, event: Any, qualifier: str = "live") -> Any:
        """Return the result of a function. Raises FunctionError."""
        name = f"{STACK}-{function}"
        return self.functions.invoke(name, qualifier, event)[0]

    def outputs(self) -> dict[str, str]:
        """Return the outputs of the stack."""
        client = self.aws.client("cloudformation")
        [stack] = client.describe_stacks(StackName=STACK)["Stacks"]
        return {o["OutputKey"]: o["OutputValue"] for o in stack["Outputs"]}

    def version(self, function: str, qualifier: str = "live") -> str:
        """Return the version behind a qualifier. Raises LookupError."""
        if qualifier.isdigit():
            return qualifier
        client = self.aws.client("lambda")
        try:
            alias = client.get_alias(FunctionName=function, Name=qualifier)
        except client.exceptions.ResourceNotFoundException:
            raise LookupError(function) from None
        return str(alias["FunctionVersion"])

    def make(self, function: str, qualifier: str) -> ExecutionEnvironment:
        """Return the execution environment of a deployed version."""
        configuration = self.aws.client("lambda").get_function_configuration(
            FunctionName=function, Qualifier=self.version(function, qualifier)
        )
        variables = configuration["Environment"]["Variables"]
        return environment(
            self.unpacked(configuration["CodeSha256"]),
            self._libraries,
            configuration["Handler"].rpartition(".")[2],
            {
                **variables,
                **self.aws.environment(),
                "AWS_LAMBDA_FUNCTION_NAME": function,
                "AWS_LAMBDA_FUNCTION_VERSION": configuration["Version"],
                # moto does not keep it.
                "AWS_LAMBDA_LOG_FORMAT": "JSON",
            },
        )

    def unpacked(self, digest: str) -> Path:
        """Return the folder of the uploaded archive that has this SHA-256."""
        if digest not in self._folders:
            folder = Path(self._scratch.name) / str(len(self._folders))
            with tempfile.TemporaryFile() as file:
                file.write(self.uploaded(digest))
                zipfile.ZipFile(file).extractall(folder)
            chmod_folders(folder, 0o555)
            self._folders[digest] = folder
        return self._folders[digest]

    def uploaded(self, digest: str) -> bytes:
        s3 = self.aws.client("s3")
        for bucket in s3.list_buckets()["Buckets"]:
            found = s3.list_objects_v2(Bucket=bucket["Name"]).get("Contents", ())
            # Usually the latest.
            for entry in sorted(found, key=itemgetter("LastModified"), reverse=True):
                if entry["Key"].endswith(".zip"):
                    answer = s3.get_object(Bucket=bucket["Name"], Key=entry["Key"])
                    body: bytes = answer["Body"].read()
                    sha = base64.b64encode(hashlib.sha256(body).digest())
                    if sha.decode() == digest:
                        return body
        raise LookupError(digest)


class Gateway(ThreadingHTTPServer):
    """Invoke the alias of the web function, as a REST API does."""

    daemon_threads = True

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(("127.0.0.1", 0), Visit)
        self.cloud = cloud
        # A status to answer with instead.
        self.broken = 0
        Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/prod"

    def host(self) -> str:
        """Return the host name that the deployed function allows."""
        configuration = self.cloud.aws.client("lambda").get_function_configuration(
            FunctionName=f"{STACK}-http", Qualifier="live"
        )
        return str(configuration["Environment"]["Variables"]["ALLOWED_HOSTS"])

    def close(self) -> None:
        self.shutdown()
        self.server_close()


class Visit(BaseHTTPRequestHandler):
    """One request."""

    server: Gateway

    def serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        # A test may hold back a request, like one of an AWS client.
        asked = Asked(self.command, self.path, dict(self.headers), body)
        self.server.cloud.functions.between(asked, lambda asked: (200, b"", {}))
        host = self.server.host()
        headers = [(k, v) for k, v in self.headers.items() if k.lower() != "host"]
        request = Request(
            self.command, self.path, (("Host", host), *headers), body, scheme="https"
        )
        if self.server.broken:
            self.send_response(self.server.broken)
            self.send_header("x-request-id", "broken")
            self.end_headers()
            return
        api = RestApi("REST API", host, "/prod", stage_url=True)
        try:
            response = api.send(
                lambda event, context: self.server.cloud.invoke("http", event), request
            )
        except FunctionError:
            response = api.answer(502, "the function failed")
        self.send_response(response.status)
        for name, value in response.headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(response.body)

    do_GET = do_POST = serve  # noqa: N815

    def log_message(self, *args: object) -> None:
        pass
