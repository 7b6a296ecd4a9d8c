"""The site's handler, with an optional receiver of after_restore that raises."""

import os

from apps.aws_lambda import lifecycle
from tests.aws_lambda.lifecycle import warmed


def fail(**kwargs: object) -> None:
    raise ValueError(os.environ["A_SECRET"])


if "A_SECRET" in os.environ:
    lifecycle.after_restore.connect(fail)

http = warmed.http
