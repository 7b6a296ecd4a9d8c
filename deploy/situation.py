"""In which state is a stage before a release, and in which does a failure leave it?"""

from .report import Stopped, complain, say
from .stage import NotThere
from .versions import VersionedStage, Versions, spell

STDIN = "$(cat)"  # typed, and ended with Ctrl-D: not in the shell's history
RANDOM = "$(python3 -c 'import secrets; print(secrets.token_urlsafe(50))')"


def look(stage: VersionedStage) -> Versions:
    """Return what is live. Raises Stopped if a release cannot begin now."""
    missing = stage.missing_parameters()
    if missing:
        lines = [
            f"  aws ssm put-parameter --region {stage.region} --type SecureString "
            f'--name {name} --value "{RANDOM if name.endswith("key") else STDIN}"'
            for name in missing
        ]
        raise Stopped(
            "These parameters are not set. Set them first (docs/secrets.md):\n"
            + "\n".join(lines)
        )
    try:
        status = stage.describe()["StackStatus"]
    except NotThere:
        say(f"  There is no {stage.stack_name} in {stage.region} yet: it will be made")
        return {}
    if status.endswith("_IN_PROGRESS"):
        raise Stopped(
            f"CloudFormation is at work on {stage.stack_name} ({status}). Wait until "
            "that has ended."
        )
    if status.endswith("ROLLBACK_FAILED"):
        raise Stopped(
            f"CloudFormation could not undo its update of {stage.stack_name}.",
            advice=f"aws cloudformation continue-update-rollback --region "
            f"{stage.region} --stack-name {stage.stack_name}",
        )
    live = stage.versions()
    if live and stage.shifting():
        raise Stopped(
            "Two versions share the traffic: a shift is under way, or Lambda is "
            "providing environments for a new version. Wait until it has ended."
        )
    say(f"  {stage.stack_name} in {stage.region} is {status}; live: {spell(live)}")
    return live


def explain(
    error: BaseException, stage: VersionedStage | None, live: Versions, again: str
) -> None:
    """Say in which state a failure leaves the stage, and what to type next."""
    complain(f"\n{error}" if str(error) else "\nInterrupted.")
    if live:
        try:
            now = stage.versions() if stage else {}
        except Stopped:
            now = {}
        if now == live:
            complain(f"The site is served by {spell(live)}, as before.")
        else:
            complain(
                f"Before, the site was served by {spell(live)}; now it is "
                f"{spell(now) if now else 'not known by what'}."
            )
    elif stage:
        complain("No version was live before.")
    advice = error.advice if isinstance(error, Stopped) else ""
    complain(f"Next: {advice or f'mend it, then {again}'}")
