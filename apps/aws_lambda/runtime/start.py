"""
Start a function, and serve its invocations.

The import path is the one that AWS's bootstrap.py makes, the exit codes are those of
AWS's client, and so are the types of errors.
"""

import logging
import os
import site
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any, NoReturn

from .connection import Connection
from .context import LambdaContext, read_environment
from .errors import RuntimeFault, describe
from .logs import LogSink, current, open_log_sink, set_up_logging, unbuffer_streams
from .marshal import read_event, to_json
from .replies import INVOCATION, JSON, Reply, RuntimeAPIError

RUNTIME = "/2018-06-01/runtime"
# How a process ends whose init phase failed, or whose hooks of SnapStart did.
INIT_FAILED, SNAPSHOT_FAILED, RESTORE_FAILED = 1, 64, 65

INIT_WARNING = (
    "LAMBDA_WARNING: Unhandled exception in the init phase. The runtime client is that "
    "of django-on-lambda. The parameter `runtime: aws` returns to AWS's own.\r"
)

Handler = Callable[[Any, Any], Any]
# Serves an event with its context, and gives the answer to the reply.
Answer = Callable[[Any, LambdaContext, Reply], None]


def main() -> NoReturn:
    """Serve the function that the environment variables describe, until it ends."""
    set_import_path()
    unbuffer_streams()
    connection = Connection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    log_sink = open_log_sink()
    try:
        set_up_logging(log_sink)
        handler = find_handler(os.environ["_HANDLER"])
    except Exception as error:
        logging.getLogger().warning(INIT_WARNING)
        fail(log_sink, "init", error, INIT_FAILED)
    if os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start":
        restore(log_sink)
    serve(connection, answers(handler), log_sink)


def set_import_path() -> None:
    """
    Give the process the import path, and its children the PYTHONPATH, of bootstrap.py.

    The function comes first, then layers, then the runtime's own libraries, such as
    boto3. A PYTHONPATH of the function's own replaces the layers'.
    https://docs.aws.amazon.com/lambda/latest/dg/python-package.html#python-package-searchpath
    """
    own = "PYTHONPATH" in os.environ
    runtime = os.environ.get("LAMBDA_RUNTIME_DIR")
    version = "python{}.{}".format(*sys.version_info)
    layers = [f"/opt/python/lib/{version}/site-packages", "/opt/python"]
    folders = [os.environ["LAMBDA_TASK_ROOT"], *([] if own else layers)]
    if not sys.flags.safe_path:
        # The current folder, because of -m.
        del sys.path[0]
    sys.path[:0] = [*folders, *([runtime] if runtime else [])]
    for folder in folders:
        # It reads the files *.pth.
        site.addsitedir(folder)
    if runtime and not own:
        os.environ["PYTHONPATH"] = runtime


def find_handler(name: str) -> Handler:
    """
    Import the module of "module.function", and return the function.

    Raises RuntimeFault for what Lambda has a name for; another exception of the module
    escapes.
    """
    module_name, dot, function = name.rpartition(".")
    if not dot:
        raise RuntimeFault(
            "Runtime.MalformedHandlerName",
            f"Bad handler '{name}': not enough values to unpack (expected 2, got 1)",
        )
    if module_name.partition(".")[0] in sys.builtin_module_names:
        raise RuntimeFault(
            "Runtime.BuiltInModuleConflict",
            f"Cannot use built-in module {module_name} as a handler module",
        )
    try:
        module = import_module(module_name.replace("/", "."))
    except ImportError as error:
        raise RuntimeFault(
            "Runtime.ImportModuleError",
            f"Unable to import module '{module_name}': {error}",
        ) from None
    except SyntaxError as error:
        place = f'  File "{error.filename}" Line {error.lineno}\n    {error.text}'
        raise RuntimeFault(
            "Runtime.UserCodeSyntaxError",
            f"Syntax error in module '{module_name}': {error}",
            [place],
        ) from None
    try:
        found: Handler = getattr(module, function)
    except AttributeError:
        raise RuntimeFault(
            "Runtime.HandlerNotFound",
            f"Handler '{function}' missing on module '{module_name}'",
        ) from None
    return found


def fail(
    log_sink: LogSink, phase: str, error: BaseException, exit_code: int, kind: str = ""
) -> NoReturn:
    """Log the failure of the init phase or the restoration, report it, and exit."""
    described = describe(error)
    log_sink.log_error(described)
    headers = [
        ("Content-Type", JSON),
        ("Lambda-Runtime-Function-Error-Type", kind or described["errorType"]),
    ]
    path = f"{RUNTIME}/{phase}/error"
    call("POST", path, headers, [to_json(described)])
    sys.exit(exit_code)


def call(
    method: str,
    path: str,
    headers: list[tuple[str, str]] | None = None,
    body: list[bytes] | None = None,
) -> None:
    """
    Send a request on a connection of its own, which no snapshot contains.

    Raises RuntimeAPIError or OSError if it fails.
    """
    connection = Connection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    response = connection.request(method, path, headers or [], body or [])
    connection.close()
    if not 200 <= response.status < 300:
        raise RuntimeAPIError(f"Lambda answered {response.status} to {method} {path}")


def restore(log_sink: LogSink) -> None:
    """
    Run the hooks of SnapStart before the snapshot, wait for it, and run those after.

    The hooks before run in the reverse order of their registration.
    https://docs.aws.amazon.com/lambda/latest/dg/snapstart-runtime-hooks-python.html
    """
    try:
        # Part of Lambda's runtime, and absent elsewhere.
        import snapshot_restore_py

        hooks = snapshot_restore_py.get_before_snapshot()
        while hooks:
            hook, args, kwargs = hooks.pop()
            hook(*args, **kwargs)
        call("GET", f"{RUNTIME}/restore/next")
    except BaseException as error:
        fail(log_sink, "init", error, SNAPSHOT_FAILED, "Runtime.BeforeSnapshotError")
    try:
        for hook, args, kwargs in snapshot_restore_py.get_after_restore():
            hook(*args, **kwargs)
    except BaseException as error:
        fail(log_sink, "restore", error, RESTORE_FAILED, "Runtime.AfterRestoreError")


def answers(handler: Handler) -> Answer:
    """
    Return how the handler answers an event.

    A handler of this project has a method ``answer``, which does what comes after an
    answer when Lambda has it. Something that wraps the handler has not, even if it
    passes attributes on, and is called as AWS's client calls it.
    """
    if hasattr(type(handler), "answer"):
        own: Answer = handler.answer  # type: ignore[attr-defined]
        return own

    def answer(event: Any, context: LambdaContext, reply: Reply) -> None:
        try:
            result = handler(event, context)
        except Exception as error:
            return reply.error(error)
        return reply.result(result)

    return answer


def serve(connection: Connection, answer: Answer, log_sink: LogSink) -> NoReturn:
    """
    Answer one invocation after another.

    An exception that is not an Exception, such as SystemExit, escapes and ends the
    process. Raises RuntimeAPIError or OSError if there is no next invocation.
    """
    environment = read_environment()
    while True:
        status, headers, body = connection.request("GET", f"{INVOCATION}/next")
        request_id = headers.get("lambda-runtime-aws-request-id")
        if status != 200 or not request_id:
            raise RuntimeAPIError(f"Lambda has no next invocation (status {status}).")
        current.request_id = request_id
        current.tenant_id = headers.get("lambda-runtime-aws-tenant-id")
        set_trace(headers.get("lambda-runtime-trace-id"))
        invocation_id = headers.get("lambda-runtime-invocation-id")
        reply = Reply(connection, request_id, invocation_id, log_sink)
        try:
            context = LambdaContext(headers, environment)
            event = load(body, headers.get("content-type"))
        except RuntimeFault as fault:
            reply.error(fault)
            continue
        del body
        answer(event, context, reply)
        del event, context, reply


def set_trace(header: str | None) -> None:
    """Set the variable that tracing libraries read, or remove it."""
    if header:
        os.environ["_X_AMZN_TRACE_ID"] = header
    else:
        os.environ.pop("_X_AMZN_TRACE_ID", None)


def load(body: bytes | bytearray, content_type: str | None) -> Any:
    """Return the event. Raises RuntimeFault if it is not JSON but should be."""
    if content_type != JSON:
        return bytes(body)
    try:
        return read_event(body)
    except Exception as error:
        raise RuntimeFault(
            "Runtime.UnmarshalError", f"Unable to unmarshal input: {error}"
        ) from None
