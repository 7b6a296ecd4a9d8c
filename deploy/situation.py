"""In which state is a stage before a release, and in which does a failure leave it?"""

from contextlib import suppress

from .report import Stopped, complain, say
from .stage import NotThere
from .versions import VersionedStage, Versions, spell

# Neither on a command line nor in the shell's history.
COMMAND = (
    "  {value} | aws ssm put-parameter --region {region} --type SecureString \\\n"
    "    --name {name} --value file:///dev/stdin"
)
RANDOM = "python3 -c 'import secrets; print(secrets.token_urlsafe(50), end=\"\")'"
TYPED = '(read -rs VALUE; printf %s "$VALUE")'
# What CloudFormation leaves of a stack that it could not make or delete.
DEAD = {"CREATE_FAILED", "DELETE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED"}


def look(stage: VersionedStage) -> Versions:
    """Return what is live. Raises Stopped if a release cannot begin now."""
    missing = stage.missing_parameters()
    if missing:
        commands = [
            COMMAND.format(
                value=RANDOM if name.endswith("/secret-key") else TYPED,
                region=stage.region,
                name=name,
            )
            for name in missing
        ]
        raise Stopped(
            f"These parameters are not set in {stage.region}. Set them first "
            "(docs/secrets.md):\n" + "\n".join(commands)
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
    if status in DEAD:
        raise Stopped(
            f"{stage.stack_name} is {status}: CloudFormation can only remove it.",
            advice=f"make remove STAGE={stage.name}",
        )
    if status == "UPDATE_ROLLBACK_FAILED":
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
    now: Versions = {}
    if stage:
        with suppress(Stopped):
            now = stage.versions()
    if live and now == live:
        complain(f"The site is served by {spell(live)}, as before.")
    elif live:
        complain(
            f"Before, the site was served by {spell(live)}; now it is "
            f"{spell(now) if now else 'not known by what'}."
        )
    elif now:
        complain(f"The site is served by {spell(now)}.")
    else:
        complain("Nothing is live.")
    advice = error.advice if isinstance(error, Stopped) else ""
    complain(f"Next: {advice or f'mend it, then {again}'}")
