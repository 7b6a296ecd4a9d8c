from django.core.checks import run_checks


def reported(check_id: str) -> list[str]:
    """Return the messages of `check --deploy` with one of the app's IDs."""
    messages = run_checks(tags=["aws_lambda"], include_deployment_checks=True)
    return [str(m.msg) for m in messages if m.id == f"aws_lambda.{check_id}"]
