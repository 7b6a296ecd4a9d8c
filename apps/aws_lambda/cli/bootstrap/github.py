"""The subject with which GitHub identifies the jobs of a repository to AWS."""

import json
import re
import shutil
import subprocess
from typing import Any

from ..report import DeployError

# A repository that was made, renamed or transferred since 2026-07-15 has IDs after its
# names: repo:owner@1/name@2. Neither part may be a pattern, which could let in others.
PREFIX = re.compile(r"repo:[\w.-]+(@\d+)?/[\w.-]+(@\d+)?")
REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
# The claims of a default subject.
DEFAULT_CLAIMS = ["repo", "context"]
CHANGELOG = (
    "https://github.blog/changelog/"
    "2026-04-23-immutable-subject-claims-for-github-actions-oidc-tokens/"
)


def find_prefix(repository: str) -> str:
    """
    Return how the subjects of a repository begin: "repo:owner@1/name@2".

    ``repository`` is "owner/name". It asks GitHub, with its program `gh`. Raises
    DeployError if that is missing or fails, or if the repository has a subject of its
    own.
    """
    if not REPOSITORY.fullmatch(repository):
        raise DeployError(
            f'--repo is "{repository}", and must be the owner and the name of a '
            "repository: --repo owner/name"
        )
    path = f"repos/{repository}/actions/oidc/customization/sub"
    answer = _ask(path)
    claims = answer.get("include_claim_keys") or DEFAULT_CLAIMS
    if not answer.get("use_default", True) and claims != DEFAULT_CLAIMS:
        raise DeployError(
            f"{repository} has a subject of its own, with the claims "
            f"{', '.join(claims)}. The role trusts the default one only.",
            advice=f"gh api --method PUT --field use_default=true {path}",
        )
    prefix = str(answer.get("sub_claim_prefix") or f"repo:{repository}")
    return checked(prefix, f"GitHub's subject of {repository}")


def checked(prefix: str, source: str) -> str:
    """Return a prefix. Raises DeployError unless it names one repository."""
    if not PREFIX.fullmatch(prefix):
        raise DeployError(
            f'{source} is "{prefix}", and must be repo:owner@OWNER_ID/name@REPO_ID, or '
            "repo:owner/name for a repository that has not been made, renamed or "
            f"transferred since 2026-07-15: {CHANGELOG}"
        )
    return prefix


def _ask(path: str) -> dict[str, Any]:
    program = shutil.which("gh")
    if not program:
        raise _unknown("GitHub's program gh, which knows it, was not found on PATH")
    process = subprocess.run(
        [program, "api", path], capture_output=True, text=True, check=False
    )
    if process.returncode:
        raise _unknown(f"gh api {path} failed: {process.stderr.strip()}")
    answer: dict[str, Any] = json.loads(process.stdout)
    return answer


def _unknown(reason: str) -> DeployError:
    return DeployError(
        f"The subject of the repository is unknown: {reason}.\n"
        "Install gh (https://cli.github.com/) and run gh auth login, or write the "
        "subject:\n"
        "  --subject repo:owner@OWNER_ID/name@REPO_ID\n"
        "with id and owner.id of https://api.github.com/repos/owner/name, or, for a "
        "repository that has not been made, renamed or transferred since 2026-07-15,\n"
        "  --subject repo:owner/name"
    )
