"""The site's handler with the error reporter of docs/operate.md, without a network."""

import os
import re
from typing import Any

import sentry_sdk.client
from django.conf import settings
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport

from tests.services.install import PROJECT


class File(Transport):
    """Write events into a file when they are flushed."""

    def __init__(self, options: dict[str, Any]) -> None:
        super().__init__(options)
        self.kept: list[bytes] = []

    def capture_envelope(self, envelope: Envelope) -> None:
        if event := envelope.get_event():
            self.kept.append(sentry_sdk.utils.json_dumps(event))

    def flush(self, timeout: float, callback: Any = None) -> None:
        with open(os.environ["REPORTS"], "ab") as file:
            file.write(b"".join(line + b"\n" for line in self.kept))
        self.kept.clear()


vars(sentry_sdk.client)["make_transport"] = File
[block] = re.findall(
    r"```python\n(import os\n\nimport sentry_sdk\n.*?)```",
    (PROJECT / "docs" / "operate.md").read_text(),
    re.DOTALL,
)
reporter: dict[str, Any] = {"__name__": "reporter"}
exec(block, reporter)  # noqa: S102

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
settings.ROOT_URLCONF = "tests.aws_lambda.lifecycle.reported_urls"
settings.MIDDLEWARE.append(
    "tests.aws_lambda.lifecycle.reported_urls.failing_middleware"
)
settings.LAMBDA_WARM_UP_PATHS = os.environ.get("WARM_UP", "/raise/nothing/").split()
if os.environ.get("FAIL"):
    settings.INSTALLED_APPS.append("tests.aws_lambda.lifecycle.absent")

import lambda_entry  # noqa: E402

http = lambda_entry.http
