"""The site's handler, in a project that is not content with a restored clone."""

import os

from apps.aws_lambda import lifecycle
from tests.aws_lambda.lifecycle import warmed


def refuse(**kwargs: object) -> None:
    raise ValueError(os.environ["A_SECRET"])


if "A_SECRET" in os.environ:
    lifecycle.after_restore.connect(refuse)

http = warmed.http
