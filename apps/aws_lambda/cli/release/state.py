"""Check that a release can start, and report the state that a failure leaves."""

from ..report import DeployError, message, next_command, write, write_error
from .errors import NoAccess, NotFound
from .progress import Versions
from .references import lost_references, missing_parameters
from .stage import Stage, describe

# The value appears neither in arguments nor in the shell's history.
COMMAND = (
    "  {value} | aws ssm put-parameter --region {region} --type SecureString \\\n"
    "    --name {name} --value file:///dev/stdin"
)
RANDOM = "python3 -c 'import secrets; print(secrets.token_urlsafe(50), end=\"\")'"
TYPED = '(read -rs VALUE; printf %s "$VALUE")'
# The options of `aws ec2 modify-vpc-attribute`.
SWITCHES = {
    "enableDnsSupport": "--enable-dns-support",
    "enableDnsHostnames": "--enable-dns-hostnames",
}
# CloudFormation can only delete a stack with one of these.
FAILED = {"CREATE_FAILED", "DELETE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED"}


def check_ready(stage: Stage) -> Versions:
    """Return the live versions. Raises DeployError if a release cannot start now."""
    missing = missing_parameters(stage)
    if missing:
        commands = [
            COMMAND.format(
                value=RANDOM if name.endswith("secret-key") else TYPED,
                region=stage.region,
                name=name,
            )
            for name in missing
        ]
        raise DeployError(
            f"These SSM parameters do not exist in {stage.region}. "
            f"{stage.origin.origin()} Create them (docs/secrets.md):\n"
            + "\n".join(commands)
        )
    if attributes := stage.missing_dns():
        commands = [
            f"  aws ec2 modify-vpc-attribute --region {stage.region} "
            f"--vpc-id {stage.endpoints_vpc} {SWITCHES[attribute]}"
            for attribute in attributes
        ]
        raise DeployError(
            f"The VPC {stage.endpoints_vpc} (parameter endpointsVpc) has "
            f"{' and '.join(attributes)} off. CloudFormation cannot create endpoints "
            "with private DNS in it. Switch it on (docs/deploy-reference.md#vpc):\n"
            + "\n".join(commands)
        )
    try:
        status = stage.stack()["StackStatus"]
    except NotFound:
        write(
            f"  There is no stack {stage.stack_name} in {stage.region} yet. "
            f"{stage.origin.origin()}"
        )
        return {}
    if status.endswith("_IN_PROGRESS"):
        raise DeployError(
            f"CloudFormation is updating the stack {stage.stack_name} ({status}). Wait "
            "until it has finished."
        )
    if status in FAILED:
        raise DeployError(
            f"The stack {stage.stack_name} is in the state {status}: CloudFormation "
            "can only delete it.",
            advice=stage.command("remove"),
        )
    if status == "UPDATE_ROLLBACK_FAILED":
        raise DeployError(
            f"CloudFormation could not roll back an update of {stage.stack_name}.",
            advice=f"aws cloudformation continue-update-rollback --region "
            f"{stage.region} --stack-name {stage.stack_name}",
        )
    live = stage.versions()
    if live and stage.is_shifting():
        raise DeployError(
            "Two versions share the traffic: a shift is in progress, or Lambda is "
            "provisioning environments for a new version. Wait until it has finished."
        )
    write(f"  {stage.stack_name} in {stage.region}: {status}, live: {describe(live)}")
    if lost := lost_references(stage, live):
        write(
            f"  Warning: the live version reads {', '.join(lost)}, and CloudFormation "
            "takes the permission away before the traffic moves. An environment that "
            "starts in between fails. To avoid that, keep the old reference in another "
            "variable for this release, and remove it in the next one."
        )
    return live


def report_failure(
    error: BaseException, stage: Stage | None, live: Versions, again: str
) -> None:
    """
    Print what failed, the state of the stage, and the next command.

    ``live`` are the versions that were live before, if known, and ``again`` is the
    command that failed.
    """
    write_error(f"\n{message(error)}")
    following = error
    if stage is None:
        found = "Nothing was changed."
    else:
        try:
            found = state(stage, live)
        except (KeyboardInterrupt, DeployError) as second:
            # One sentence about the session is enough.
            first = getattr(second, "first", "")
            if str(second) and not (first and first == getattr(error, "first", "")):
                write_error(str(second))
            if isinstance(second, NoAccess):
                following = second
            found = last_known(stage, live)
    write_error(found)
    write_error(f"Next: {next_command(following, again)}")


def state(stage: Stage, live: Versions) -> str:
    """
    Return which versions are live now, which were before, and what else has changed.

    Raises DeployError if AWS cannot be asked.
    """
    now, status = stage.versions(), stage.update_status()
    if live and now == live:
        found = f"The site is served by {describe(live)}, as before."
    elif live:
        by = describe(now) if now else "nothing"
        found = f"The site was served by {describe(live)}, and now by {by}."
    else:
        found = f"The site is served by {describe(now)}." if now else "Nothing is live."
    if status:
        # When it rolls back an update, aliases get the versions of the old template.
        found += (
            f"\nCloudFormation is updating the stack ({status}), which may change "
            f"that. Wait until it has finished: {stage.command('info')}"
        )
    return "\n".join([found, *stage.progress.facts.values()])


def last_known(stage: Stage, live: Versions) -> str:
    """Return what is known of a stage after the last answer of AWS."""
    progress = stage.progress
    before = f" The site was served by {describe(live)}." if live else ""
    if not progress.changed:
        return "\n".join(["Nothing was changed." + before, *progress.facts.values()])
    if not progress.live:
        found = "Nothing was live when AWS last answered."
    elif live in ({}, progress.live):
        found = (
            f"When AWS last answered, the site was served by {describe(progress.live)}."
        )
    else:
        found = (
            f"{before.strip()} When AWS last answered, it was served by "
            f"{describe(progress.live)}: this was not taken back."
        )
    return "\n".join(
        [
            found,
            *progress.facts.values(),
            f"What is live now is unknown. To ask: {stage.command('info')}",
        ]
    )
