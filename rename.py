"""
Give the project your name: make rename NAME=shop TITLE="The shop".

NAME is the service, after which stacks, functions, queues, parameters, alarms and npm's
package are named; TITLE is for people. FORMS has all that is replaced.

Not replaced is what belongs to the integration in apps/aws_lambda: its names in code
and documentation, the name in pyproject.toml, of which its wheel is built, and the
namespace of its metrics, DjangoOnLambda, in which a dimension names the function.
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent

# In each file, the texts around a name or title. A file that you have removed is left
# out, and so is a text that you have changed.
FORMS = {
    "README.md": ["# {title}\n"],
    "docs/commands.md": [":{name}-prod-", "/{name}-prod-", '"{name}-prod-'],
    "docs/deploy-reference.md": ["SECRETS=/{name}/prod", "STACK={name}-prod"],
    "docs/deploy.md": [
        *("SECRETS=/{name}/prod", "--alarm-name {name}-prod-"),
        # The right column has a site called shop.
        *("\n| `/{name}/prod/", "\n| `{name}-prod-"),
    ],
    "docs/operate.md": [":{name}-prod-"],
    "docs/sam.md": ["={name}-dev-"],
    "docs/secrets.md": ["SECRETS=/{name}/prod", "ssm:/{name}/prod/"],
    "docs/troubleshoot.md": [" {name}-prod-", " {name}-prod in ", "/{name}-prod-"],
    "docs/workflows.md": ["`{name}-prod-", "/{name}/prod/"],
    "package-lock.json": ['{\n  "name": "{name}"', '"": {\n      "name": "{name}"'],
    "package.json": ['{\n  "name": "{name}"'],
    "project/settings.py": ['"{name}-{stage}-manage"', 'SITE_TITLE = "{title}"'],
    "samconfig.toml": ['stack_name = "{name}-'],
    "serverless.yml": ["\nservice: {name}\n"],
    "template.yaml": [
        'Description: "{title}"',
        *(" {name}-${Stage}-", "/{name}-${Stage}-", " ${Stage}-{name}\n"),
        *(" {name}-${Stage}\n", "/{name}-${Stage}\n"),
        *("/{name}/${Stage}/", "/{name}/<stage>/", " of {name} ${Stage}"),
    ],
}

# A function is NAME-STAGE-schedule, of at most 64 characters: 20 leave 34 for a stage.
NAME = r"(?=.{2,20}$)[a-z][a-z0-9]*(-[a-z0-9]+)*"
# Parameter Store rejects the first two, S3 the others.
RESERVED = ("aws", "ssm", "sthree-", "amzn-s3-demo-")
# It is between double quotes in Python and YAML.
TITLE = r'[^"\\]{1,60}'


class RenameError(Exception):
    """The project cannot be renamed; the message has the reason and the fix."""


def check_names(name: str, title: str) -> None:
    """Raise RenameError if AWS, npm or a file would not accept them."""
    if not re.fullmatch(NAME, name):
        raise RenameError(
            f'NAME="{name}" cannot name stacks, functions, queues and npm\'s package: '
            "use 2 to 20 lower-case letters, digits and single hyphens, with a letter "
            "first, as in: make rename NAME=my-shop"
        )
    if name.startswith(RESERVED):
        raise RenameError(
            f'NAME="{name}" cannot name parameters and buckets, because AWS reserves '
            f"names that begin with {', '.join(RESERVED)}: choose another, as in: "
            f"make rename NAME=my-shop"
        )
    if not (re.fullmatch(TITLE, title) and title.isprintable() and title.strip()):
        raise RenameError(
            f"TITLE={title!r} cannot be the title: use 1 to 60 characters without "
            "double quotes, backslashes and line breaks."
        )


def check_committed(root: Path) -> None:
    """Raise RenameError unless git can show, and undo, what will be changed."""
    try:
        process = subprocess.run(
            ["git", "status", "--porcelain", "--untracked-files=no", "--", "."],
            cwd=root,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise RenameError("git is not installed, and would undo a mistake.") from error
    if process.returncode:
        raise RenameError(
            f"git cannot list uncommitted changes ({process.stderr.strip()}): it would "
            "undo a mistake. Run: git init && git add --all && git commit"
        )
    if process.stdout:
        raise RenameError(
            "There are uncommitted changes, among which git would show the new name:"
            f"\n{process.stdout.rstrip()}\nCommit or stash them, and run "
            "make rename again."
        )


def current(root: Path) -> tuple[str, str]:
    """Return the name and the title of the project."""
    found = []
    for file, pattern in (
        ("serverless.yml", r"^service: (\S+)$"),
        ("project/settings.py", r'^SITE_TITLE = "(.*)"$'),
    ):
        match = re.search(pattern, (root / file).read_text(), re.MULTILINE)
        if not match:
            raise RenameError(f"{file} has no line that matches {pattern}: restore it.")
        found.append(match[1])
    name, title = found
    return name, title


def fill(form: str, name: str, title: str) -> str:
    """Return a text of FORMS with a name and a title."""
    return form.replace("{name}", name).replace("{title}", title)


def rename(root: Path, name: str, title: str) -> list[str]:
    """
    Replace the name and the title in FORMS, and return the files that changed.

    Raises RenameError, before it writes anything, if one of the two cannot be used or
    if the project has uncommitted changes.
    """
    check_names(name, title)
    check_committed(root)
    former = current(root)
    changed = {}
    for file, forms in FORMS.items():
        path = root / file
        before = text = path.read_text() if path.exists() else ""
        for form in forms:
            text = text.replace(fill(form, *former), fill(form, name, title))
        if text != before:
            changed[file] = text
    for file, text in changed.items():
        (root / file).write_text(text)
    return list(changed)


def main() -> None:
    parser = argparse.ArgumentParser(prog="make rename", description=__doc__)
    parser.add_argument("name")
    parser.add_argument("--title", default="", help="NAME in words, if it is not given")
    options = parser.parse_args()
    title = options.title or options.name.replace("-", " ").capitalize()
    try:
        former, _ = current(ROOT)
        changed = rename(ROOT, options.name, title)
    except RenameError as error:
        sys.exit(str(error))
    print(f'The project is {options.name}, "{title}". Changed files:')
    print("".join(f"  {file}\n" for file in changed) or "  none", end="")
    if changed and former != options.name:
        print(
            f'Next: git diff, then git commit -am "Rename to {options.name}". Stages '
            f"that {former} has on AWS stay there: "
            "docs/deploy-reference.md#another-name"
        )


if __name__ == "__main__":
    main()
