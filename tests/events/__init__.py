"""
Sample events of the services that invoke Lambda functions.

They follow the formats that AWS documents. Names, addresses and IDs are invented;
the account is AWS's example account, 123456789012. WEB are the events of web
requests, one per event source and configuration.
"""

import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent

WEB = {
    "alb_health_check",
    "alb_health_check_multi",
    "alb_multi",
    "alb_single",
    "function_url",
    "http_default",
    "http_default_post",
    "http_mapped",
    "http_stage",
    "http_v1_default",
    "http_v1_stage",
    "rest_base_path",
    "rest_console_test",
    "rest_domain",
    "rest_stage",
    "rest_stage_post",
    "rest_stage_root",
}
ALL = {path.stem for path in HERE.glob("*.json")}
NOT_WEB = ALL - WEB
# Words in the error for an event that is not a web request: the kind of event, and
# the function that serves it.
ERROR_WORDS = {
    "appsync": ["AppSync"],
    "authorizer_request_v1": ["authorizer"],
    "authorizer_request_v2": ["authorizer"],
    "authorizer_token": ["authorizer"],
    "cloudwatch_logs": ["CloudWatch Logs"],
    "cognito_pre_sign_up": ["Cognito"],
    "dynamodb": ["DynamoDB"],
    "eventbridge_rule": ["EventBridge", "schedule function"],
    "eventbridge_schedule": ["EventBridge", "schedule function"],
    "kinesis": ["Kinesis"],
    "lattice_v1": ["Lattice"],
    "lattice_v2": ["Lattice"],
    "remote_command": ["remote command's event", "manage function"],
    "s3": ["S3"],
    "scheduled_command": ["scheduled command's event", "schedule function"],
    "sns": ["SNS"],
    "sqs": ["SQS", "tasks function"],
    "websocket_connect": ["WebSocket"],
    "websocket_message": ["WebSocket"],
}


def load_event(name: str, **overrides: Any) -> dict[str, Any]:
    """Return a copy of an event in which these keys are replaced."""
    event: dict[str, Any] = json.loads((HERE / f"{name}.json").read_text())
    return event | overrides
