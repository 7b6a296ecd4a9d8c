# mypy: disable-error-code="attr-defined"
"""moto's server with the CloudFormation resources of this project; run by aws.py."""

import sys

from moto import settings
from moto.cloudformation import models
from moto.core.config import default_user_config
from moto.server import main

# Importing them registers the resources and the fixes.
from tests.services import (  # noqa: F401
    aws_function_versions,
    aws_parameters,
    aws_stack_fixes,
    aws_stack_resources,
)

# moto runs no functions, so it needs no Docker (local_lambda.py runs them).
default_user_config["lambda"] = {"use_docker": False}
# moto would run cfn-lint for each deployment and treat its warnings as errors. The
# tests of the template run cfn-lint.
models.validate_template_cfn_lint = lambda template: []

# A certificate is valid at once, not after a minute.
settings.ACM_VALIDATION_WAIT = 0

main(sys.argv[1:])
