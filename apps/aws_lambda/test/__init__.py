"""
Test a Django site through the front doors of AWS Lambda.

Use ``LambdaClient`` where you would use ``django.test.Client``.
"""

from .client import LambdaClient, LambdaResponse
from .context import LambdaContext
from .doors import DOORS, Door, Request, Response

__all__ = [
    "DOORS",
    "Door",
    "LambdaClient",
    "LambdaContext",
    "LambdaResponse",
    "Request",
    "Response",
]
