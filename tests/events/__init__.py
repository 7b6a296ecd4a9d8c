"""
Realistic events: of each event source of web requests, and of other AWS services.

They follow the formats in AWS's documentation. Names, addresses and IDs are invented;
the account is AWS's example account, 123456789012.
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


def load_event(name: str, **overrides: Any) -> dict[str, Any]:
    """Return a fresh copy of an event, with these keys put in place of its own."""
    event: dict[str, Any] = json.loads((HERE / f"{name}.json").read_text())
    return event | overrides
