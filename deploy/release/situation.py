"""In which state is a stage before a release, and in which does a failure leave it?"""

from ..report import Stopped, complain, next_command, reason, say
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
            f"A release cannot begin while CloudFormation is at work on "
            f"{stage.stack_name} ({status})."
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
    """
    Say what failed, in which state that leaves the stage, and what to type next.

    ``live`` is what was live before, if that was seen, and ``again`` the command
    that does the same once more.
    """
    complain(f"\n{reason(error)}")
    complain(state(stage, live))
    complain(f"Next: {next_command(error, again)}")


def state(stage: VersionedStage | None, live: Versions) -> str:
    """Return what is live now, and what was before."""
    if stage is None:
        return "Nothing was changed."
    try:
        now, busy = stage.versions(), stage.busy()
    except (KeyboardInterrupt, Stopped):
        before = f"Before, the site was served by {spell(live)}. " if live else ""
        return f"{before}What serves it now is not known: make info STAGE={stage.name}"
    if live and now == live:
        found = f"The site is served by {spell(live)}, as before."
    elif live:
        by = spell(now) if now else "nothing"
        found = f"Before, the site was served by {spell(live)}; now by {by}."
    else:
        found = f"The site is served by {spell(now)}." if now else "Nothing is live."
    if busy:
        # Where it undoes an update, aliases get the versions of the template before.
        found += (
            f"\nCloudFormation is at work on the stack ({busy}) and may change that: "
            f"wait until make info STAGE={stage.name} says that it has ended."
        )
    return found
