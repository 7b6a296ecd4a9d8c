"""Run a management command on the manage function of a stage."""

from ...commands.remote.client import call
from ...commands.remote.errors import ConnectionLost, RemoteError, Target
from ...commands.remote.log import Write
from ..report import DeployError, write, write_error
from .errors import NoAccess
from .stage import LIVE, Stage


def run(
    stage: Stage,
    argv: list[str],
    qualifier: str = LIVE,
    *,
    show: Write = lambda line: write(f"  {line}"),
    notify: Write = lambda line: write_error(f"  {line}"),
) -> int:
    """
    Run a command on a version or an alias, and return its exit code.

    ``show`` gets the lines of its output, and ``notify`` messages about the run. Raises
    DeployError or NoAccess if there is no result.
    """
    try:
        return call(
            Target(stage.functions["manage"], qualifier),
            argv,
            write=show,
            notify=notify,
            region=stage.origin,
        )
    except RemoteError as error:
        if isinstance(error, ConnectionLost):
            stage.progress.note(
                "command", f"{' '.join(argv)} may still be running on the stage."
            )
        if error.barrier:
            raise NoAccess(error.barrier) from error
        raise DeployError(str(error)) from error
    except KeyboardInterrupt:
        stage.progress.note("command", f"{' '.join(argv)} continues on the stage.")
        raise
