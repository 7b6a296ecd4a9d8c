"""`manage.py runserver` in a process."""

import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urljoin
from urllib.request import urlopen

from apps.aws_lambda.cli.ports import free_port, is_taken

TIMEOUT_SECONDS = 60


@contextmanager
def runserver(
    python: Path | str, folder: Path, environment: Mapping[str, str]
) -> Iterator[str]:
    """Serve a site, and return its URL. Raises TimeoutError with the output."""
    port = free_port()
    command = [python, "manage.py", "runserver", "--noreload", str(port)]
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            deadline = time.monotonic() + TIMEOUT_SECONDS
            while not is_taken(port):
                if process.poll() is not None or time.monotonic() > deadline:
                    process.kill()
                    raise TimeoutError(process.communicate()[0])
                time.sleep(0.05)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()


def style_sheets(url: str) -> list[str]:
    """Return the texts of a page's style sheets. Raises HTTPError."""
    links = re.findall(r'href="([^"]+\.css)"', fetch(url))
    return [fetch(urljoin(url, link)) for link in links]


def fetch(url: str) -> str:
    with urlopen(url, timeout=TIMEOUT_SECONDS) as response:
        text: str = response.read().decode()
    return text
