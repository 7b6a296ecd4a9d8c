"""Django's system checks, those of the integration among them."""

from typing import Any

PREFIX = "aws_lambda."


def check_system() -> list[dict[str, Any]]:
    """
    Run the checks of `check --deploy`, and return their messages.

    ``ours`` is whether the check belongs to the integration, ``error`` whether its
    level is at least that of an Error.
    """
    from django.core.checks import ERROR, run_checks

    return [
        {
            "id": message.id or "",
            "text": " ".join(message.msg.split()),
            "hint": " ".join((message.hint or "").split()),
            "ours": (message.id or "").startswith(PREFIX),
            "error": message.is_serious(ERROR),
        }
        for message in run_checks(include_deployment_checks=True)
        if not message.is_silenced()
    ]
