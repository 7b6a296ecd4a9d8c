"""Whether SES sends the e-mail of a stage, with the operator's own permissions."""

from collections.abc import Mapping

from ..release.errors import NotFound
from ..release.stage import Stage
from .account import Deployed
from .line import OK, PROBLEM, Line

PAGE = "docs/operate.md#e-mail"


def email(stage: Stage, functions: Mapping[str, Deployed]) -> Line:
    """Return whether the sender is verified, and the account may send to anyone."""
    sender = functions["http"].variables.get("MAIL_FROM")
    if not sender:
        return Line("e-mail", OK, "MAIL_FROM is not set: SES sends none")
    domain = sender.rpartition("@")[2]
    states = {identity: state(stage, identity) for identity in (sender, domain)}
    verified = [identity for identity, found in states.items() if found == "SUCCESS"]
    if not verified:
        found = [f"{name} is {state}" for name, state in states.items() if state]
        text = "; ".join(found) or f"neither {sender} nor {domain} is an identity"
        return Line(
            "e-mail",
            PROBLEM,
            f"SES in {stage.region} sends nothing from {sender}: {text}",
            f"verify one of them: {PAGE}",
        )
    account = stage.call("sesv2", "get_account")
    if not account["SendingEnabled"]:
        return Line(
            "e-mail",
            PROBLEM,
            f"SES has paused sending for the account in {stage.region}",
            "read the reason in its console, below Reputation metrics",
        )
    if not account["ProductionAccessEnabled"]:
        return Line(
            "e-mail",
            PROBLEM,
            f"the account is in SES's sandbox in {stage.region}: only verified "
            "recipients get e-mail",
            f"request production access: {PAGE}",
        )
    return Line("e-mail", OK, f"{verified[0]} is verified, and SES sends to anyone")


def state(stage: Stage, identity: str) -> str:
    """Return SES's word for the verification of an identity, or "" without one."""
    try:
        found = stage.call("sesv2", "get_email_identity", EmailIdentity=identity)
    except NotFound:
        return ""
    return str(found["VerificationStatus"])
