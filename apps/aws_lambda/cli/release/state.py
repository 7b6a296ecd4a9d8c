"""Check that a release can start, and report the state that a failure leaves."""

from ..report import DeployError, command, message, next_command, write, write_error
from .stage import NotFound, Stage, Versions, describe

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
    missing = stage.missing_parameters()
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
            f"These SSM parameters do not exist in {stage.region}. Create them "
            "(docs/secrets.md):\n" + "\n".join(commands)
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
        write(f"  There is no stack {stage.stack_name} in {stage.region} yet")
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
            advice=command("remove", stage=stage.name),
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
    if lost := stage.lost_references(live):
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
    write_error(state(stage, live))
    write_error(f"Next: {next_command(error, again)}")


def state(stage: Stage | None, live: Versions) -> str:
    """Return which versions are live now, and which were before."""
    if stage is None:
        return "Nothing was changed."
    info = command("info", stage=stage.name)
    try:
        now, status = stage.versions(), stage.update_status()
    except (KeyboardInterrupt, DeployError):
        before = f"The site was served by {describe(live)}. " if live else ""
        return f"{before}What is live now is unknown; run: {info}"
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
            f"that. Wait until it has finished: {info}"
        )
    return found
