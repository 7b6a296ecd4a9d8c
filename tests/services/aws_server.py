"""moto's server, as a deployment needs it; run by aws.py."""

import sys

from moto.cloudformation import models
from moto.core.config import default_user_config
from moto.server import main

# They register themselves.
from tests.services import aws_asked, aws_mended, aws_resources  # noqa: F401

# Functions are looked at and not run, so no Docker is needed.
default_user_config["lambda"] = {"use_docker": False}
# It would run a linter for each deployment, and take its warnings for errors. The
# tests of the template run it themselves.
models.validate_template_cfn_lint = lambda template: []

main(sys.argv[1:])
