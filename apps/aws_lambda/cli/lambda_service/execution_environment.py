"""An execution environment: a process with a runtime client, which can freeze."""

import atexit
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import TimeoutError as NotDone
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from .. import ROOT
from ..process import dies_with_parent
from .runtime_api import FunctionError, RuntimeAPI, StreamedResult

# https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
VARIABLES = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_SESSION_TOKEN": "testing",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_REGION": "eu-west-1",
    "AWS_EXECUTION_ENV": "AWS_Lambda_python{}.{}".format(*sys.version_info),
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1024",
    "AWS_LAMBDA_FUNCTION_NAME": "site-http",
    "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
    "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/site-http",
    "AWS_LAMBDA_LOG_STREAM_NAME": "2026/11/23/[$LATEST]0123456789abcdef",
    "LANG": "en_US.UTF-8",
    "TZ": ":UTC",
}


class ExecutionEnvironment:
    """
    Run a handler in a process of its own, as Lambda does, and invoke it.

    ``variables`` are the function's environment variables; apart from Lambda's own and
    PATH it gets no others. ``freeze`` and ``thaw`` stop and continue the process, as
    Lambda does between invocations: its sockets stay open.

    With ``snap_start`` the process waits after its init phase until ``restore``.
    ``client`` is the command that starts the runtime client, given the handler. As on
    Lambda, a program that AWS_LAMBDA_EXEC_WRAPPER names gets that command instead.
    """

    def __init__(
        self,
        variables: dict[str, str],
        *,
        handler: str = "lambda_entry.http",
        task_root: Path = ROOT,
        snap_start: bool = False,
        client: Sequence[str] = (sys.executable, "-m", "awslambdaric"),
    ) -> None:
        self.handler = handler
        self.client = client
        self.task_root = task_root
        self.api = RuntimeAPI()
        self.variables = {
            "PATH": os.environ.get("PATH", os.defpath),
            **VARIABLES,
            "AWS_LAMBDA_INITIALIZATION_TYPE": (
                "snap-start" if snap_start else "on-demand"
            ),
            "AWS_LAMBDA_RUNTIME_API": self.api.address,
            "LAMBDA_TASK_ROOT": str(task_root),
            "_HANDLER": handler,
            **variables,
        }
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  # closed by stop
        self._closed_log = ""
        self._process: subprocess.Popen[bytes] | None = None
        atexit.register(self.stop)

    def start(self, seconds: float = 60) -> None:
        """
        Start the process and wait for the end of its init phase.

        Raises FunctionError if the init phase fails. Call it from the main thread: on
        Linux the process is killed when the thread that started it ends.
        """
        command = [*self.client, self.handler]
        # https://docs.aws.amazon.com/lambda/latest/dg/runtimes-modify.html#runtime-wrapper
        if wrapper := self.variables.get("AWS_LAMBDA_EXEC_WRAPPER"):
            command.insert(0, wrapper)
        self._process = subprocess.Popen(
            command,
            cwd=self.task_root,
            env=self.variables,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            # A freeze stops the whole process group; Ctrl-C must not reach it.
            start_new_session=True,
            preexec_fn=dies_with_parent(signal.SIGKILL),
        )
        deadline = time.monotonic() + seconds
        while not self.api.initialized.wait(0.01):
            self._check_alive()
            if time.monotonic() > deadline:
                raise FunctionError("Sandbox.Timedout", f"Init took {seconds} seconds")

    @property
    def pid(self) -> int:
        """Return the process ID, which differs between environments."""
        return self.process.pid

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """Return the process; raise RuntimeError before ``start``."""
        if self._process is None:
            raise RuntimeError("Call start() first: the process is not running.")
        return self._process

    @property
    def alive(self) -> bool:
        """Return whether the process exists, running or frozen."""
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> str:
        """Return the output of the process and the lines that Lambda adds."""
        if self._log.closed:
            return self._closed_log
        return os.pread(self._log.fileno(), 2**24, 0).decode(errors="replace")

    def log_from(self, offset: int) -> bytes:
        """Return the log from this byte on."""
        if self._log.closed:
            return self._closed_log.encode()[offset:]
        return os.pread(self._log.fileno(), 2**24, offset)

    def restore(self) -> None:
        """Continue after the init phase, as a copy made by SnapStart."""
        self.api.restored.set()

    def invoke(self, event: Any, seconds: float = 28) -> Any:
        """
        Return the handler's result for an event, when the process waits for the next.

        A StreamedResult returns when its first bytes have arrived; nothing but the
        function's own deadline limits the rest.

        Raises FunctionError if the handler raises, the process ends, or ``seconds``
        elapse. After a timeout the process is killed, as on Lambda.
        """
        self._check_alive()
        invocation = self.api.send(event, seconds)
        deadline = time.monotonic() + seconds
        try:
            while True:
                try:
                    result = invocation.result.result(0.05)
                    break
                except NotDone:
                    self._check_alive()
                    if time.monotonic() > deadline:
                        self._kill()
                        raise FunctionError(
                            "Sandbox.Timedout",
                            f"Task timed out after {seconds:.2f} seconds",
                        ) from None
        except FunctionError as error:
            error.request_id = invocation.request_id
            exit_code = self._process.returncode if self._process else 0
            lines = platform_log(error, exit_code)
            os.write(self._log.fileno(), "".join(f"{x}\n" for x in lines).encode())
            raise
        if isinstance(result, StreamedResult):
            return result
        # What comes after the answer has the rest of the time.
        while self.alive and not invocation.ended.wait(0.05):
            if time.monotonic() > deadline:
                self._kill()
        return result

    def freeze(self) -> None:
        """Stop the process, with SIGSTOP; return when it has stopped."""
        os.killpg(self.pid, signal.SIGSTOP)
        os.waitpid(self.pid, os.WUNTRACED)

    def thaw(self) -> None:
        """Continue the process, with SIGCONT."""
        os.killpg(self.pid, signal.SIGCONT)

    def shut_down(self, seconds: float = 2) -> int:
        """Send SIGTERM, as Lambda does with extensions; return the exit code."""
        os.kill(self.pid, signal.SIGTERM)
        return self.process.wait(seconds)

    def stop(self) -> None:
        """Kill the process and close the API. The log stays readable."""
        self._kill()
        self.api.close()
        self._closed_log = self.log
        self._log.close()
        atexit.unregister(self.stop)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def _check_alive(self) -> None:
        if not self.alive:
            raise self.api.failure or FunctionError("Runtime.ExitError", self.log)

    def _kill(self) -> None:
        if self.alive:
            os.killpg(self.pid, signal.SIGKILL)
        if self._process is not None:
            self._process.wait()


def platform_log(error: FunctionError, exit_code: int) -> list[str]:
    """
    Return the lines that Lambda logs when an execution environment ends.

    https://docs.aws.amazon.com/lambda/latest/dg/troubleshooting-invocation.html
    """
    request_id = error.request_id
    report = f"REPORT RequestId: {request_id}"
    match error.type:
        case "Sandbox.Timedout":
            now = datetime.now(UTC).isoformat(timespec="milliseconds")
            return [f"{now} {request_id} {error.message}", f"{report}\tStatus: timeout"]
        case "Runtime.ExitError":
            killed = f"signal: {-exit_code}"
            reason = killed if exit_code < 0 else f"exit status {exit_code}"
            return [
                f"RequestId: {request_id} Error: Runtime exited with error: {reason}",
                f"{report}\tStatus: error\tError Type: {error.type}",
            ]
    return []
