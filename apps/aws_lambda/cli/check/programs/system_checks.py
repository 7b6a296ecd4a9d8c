"""Django's system checks, those of the integration among them."""

from typing import Any

PREFIX = "aws_lambda."


def check_system() -> list[dict[str, Any]]:
    """
    Run the system checks, and return the messages that matter on Lambda.

    Of the integration all of `check --deploy`. Of Django and other apps the errors of
    `check`: the site has their warnings, and what `--deploy` adds, without Lambda too.
    ``error`` is whether a level is at least that of an Error, and ``ours`` whether the
    check belongs to the integration.
    """
    from django.core.checks import ERROR, run_checks

    ours = run_checks(tags=[PREFIX.rstrip(".")], include_deployment_checks=True)
    others = [m for m in run_checks() if not (m.id or "").startswith(PREFIX)]
    return [
        {
            "id": message.id or "-",
            "text": " ".join(message.msg.split()),
            "hint": " ".join((message.hint or "").split()),
            "ours": message in ours,
            "error": message.is_serious(ERROR),
        }
        for message in [*ours, *(m for m in others if m.is_serious(ERROR))]
        if not message.is_silenced()
    ]
