"""The lines that Lambda itself writes into a function's log."""

from datetime import UTC, datetime

from .runtime_api import FunctionError


def last_words(error: FunctionError, exit_code: int) -> list[str]:
    """
    Return what is said of an environment that was lost; nothing if it was not.

    https://docs.aws.amazon.com/lambda/latest/dg/troubleshooting-invocation.html
    """
    name, report = error.request_id, f"REPORT RequestId: {error.request_id}"
    match error.type:
        case "Sandbox.Timedout":
            now = datetime.now(UTC).isoformat(timespec="milliseconds")
            return [f"{now} {name} {error.message}", f"{report}\tStatus: timeout"]
        case "Runtime.ExitError":
            signalled = f"signal: {-exit_code}"
            reason = signalled if exit_code < 0 else f"exit status {exit_code}"
            return [
                f"RequestId: {name} Error: Runtime exited with error: {reason}",
                f"{report}\tStatus: error\tError Type: {error.type}",
            ]
    return []
