"""A copy of this project, served by `run` with the local AWS."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

from apps.aws_lambda.cli import ROOT
from apps.aws_lambda.cli.ports import free_port
from tests.cli.conftest import copy_project

# Of this suite: the copy has its own.
OWN = {"ALLOWED_HOSTS", "DATABASE_URL", "ENV_FILE", "MEDIA_ROOT", "STATIC_ROOT"}
TIMEOUT_SECONDS = 60
# What a developer has changed: files decide how the task goes.
TASK = """    document = Document.objects.filter(pk=document_id).first()
"""
EDITED = """    import time
    from pathlib import Path

    while Path(".run/slow").exists():
        time.sleep(0.1)
    if Path(".run/broken").exists():
        raise ValueError("The file is not readable")
    document = Document.objects.filter(pk=document_id).first()
    from django.core.mail import send_mail

    send_mail(f"Checked {document}", "It is fine.", None, ["ann@example.com"])
"""


class LocalSite:
    """A clone with a .env, in which a developer has access to a stage on AWS."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.port, self.lambda_port = free_port(), free_port()
        self.printed = ""
        copy_project(root)
        for name in ("node_modules", ".venv"):
            (root / name).symlink_to(ROOT / name)
        tasks = root / "apps" / "documents" / "tasks.py"
        text = tasks.read_text()
        assert TASK in text
        tasks.write_text(text.replace(TASK, EDITED))
        (root / ".env").write_text(
            "AWS_PROFILE=mine\n"
            "MEDIA_BUCKET=mine\n"
            "MAIL_FROM=shop@example.com\n"
            "TASK_QUEUE_URL=https://sqs.eu-central-1.amazonaws.com/1/mine\n"
        )

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def password(self) -> str:
        return (self.root / ".run" / "admin-password").read_text().strip()

    @property
    def environment(self) -> dict[str, str]:
        return {n: v for n, v in os.environ.items() if n not in OWN}

    def command(self, name: str, *arguments: str) -> list[str]:
        ports = {"run": ["--port", str(self.port)], "schedule": []}[name]
        ports += ["--lambda-port", str(self.lambda_port)]
        return [sys.executable, "-m", "apps.aws_lambda.cli", name, *ports, *arguments]

    @contextmanager
    def running(self) -> Iterator[None]:
        """Serve the site; ``printed`` is what this `run` prints."""
        self.printed = ""
        with subprocess.Popen(
            self.command("run"),
            cwd=self.root,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            reader = Thread(target=self._read, args=(process,), daemon=True)
            reader.start()
            try:
                wait_until(
                    lambda: (
                        "Its log follows" in self.printed or process.poll() is not None
                    )
                )
                assert process.poll() is None, self.printed
                yield
            finally:
                process.terminate()
                reader.join()

    def _read(self, process: subprocess.Popen[str]) -> None:
        for line in process.stdout or ():
            self.printed += line

    def printed_url(self, label: str) -> str:
        """Return the URL after a label in the welcome."""
        found = re.search(rf"^  {label} +(http\S+)$", self.printed, re.MULTILINE)
        assert found, self.printed
        return found[1]


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)
