"""What the manage function of a stage sees: the command lambda_diagnose."""

import json

from ..release import manage
from ..release.errors import NoAccess
from ..release.stage import Stage
from ..report import DeployError
from .line import OK, PROBLEM, UNKNOWN, Line

COMMAND = "lambda_diagnose"
# As commands.manage and commands.runner return it.
NOT_ALLOWED_EXIT_CODE = 126
REMOTE = "manage.py remote"
# What only the function knows.
ITEMS = ("secrets", "database", "static files", "bucket", "disk")


def look(stage: Stage) -> list[Line]:
    """
    Return what the live version of the manage function finds, in its order.

    The first line is that of the function. If it does not answer, the others are
    UNKNOWN. Raises NoAccess if AWS cannot be asked any more.
    """
    written: list[str] = []
    try:
        code = manage.run(
            stage,
            [COMMAND],
            show=written.append,
            # How the log was read does not matter.
            notify=lambda message: None,
        )
    except NoAccess:
        raise
    except DeployError as error:
        return no_answer(str(error), stage.command("logs", function="manage"))
    if code == NOT_ALLOWED_EXIT_CODE:
        return no_answer(
            f"LAMBDA_REMOTE_COMMANDS does not allow {COMMAND}",
            f"add it to that setting, and run: {stage.command('deploy')}",
        )
    if code:
        return no_answer(
            f"{COMMAND} failed with exit code {code}: {' '.join(written[-1:])}",
            f"release this version of the integration: {stage.command('deploy')}",
        )
    lines = [line for text in written if (line := read(text, stage.asked_region))]
    if not {*ITEMS} <= {line.item for line in lines}:
        return no_answer(
            f"{COMMAND} printed no findings",
            stage.command("logs", function="manage"),
        )
    return lines


def read(text: str, region: str = "") -> Line | None:
    """
    Return the line of a finding, or None for what else the command printed.

    ``region`` is that of the command line, which the function does not know.
    """
    try:
        finding = json.loads(text)
        state = OK if finding["ok"] else PROBLEM
        return Line(
            str(finding["item"]),
            state,
            str(finding["text"]),
            str(finding["next_step"]).replace(
                REMOTE, f"{REMOTE} --region {region}" if region else REMOTE
            ),
        )
    except (KeyError, TypeError, ValueError):
        return None


def no_answer(reason: str, next_step: str) -> list[Line]:
    unknown = "the manage function, which looks at it, did not answer"
    first = "solve the problem of the function"
    return [
        Line("function", PROBLEM, reason, next_step),
        *(Line(item, UNKNOWN, unknown, first) for item in ITEMS),
    ]
