"""The name of the service, which `make rename` changes."""

import re

from apps.aws_lambda.cli import ROOT

[SERVICE] = re.findall(r"^service: (\S+)$", (ROOT / "serverless.yml").read_text(), re.M)
