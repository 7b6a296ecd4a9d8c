"""
The event sources of AWS, in their common configurations.

The models follow the documented formats and recorded events. They share no code
with the gateway, which they test.
"""

from .event_source import Event, EventSource, Handler
from .function_url import FunctionUrl
from .http_api import HttpApi, HttpApiFormat1
from .load_balancer import LoadBalancer, SingleValueLoadBalancer
from .rest_api import RestApi
from .wire import Request, Response

REST_HOST = "a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com"
HTTP_HOST = "h1t2t3p4a5.execute-api.eu-west-1.amazonaws.com"
URL_HOST = "u1r2l3i4d5u1r2l3i4d5u1r2l3i4d5ab.lambda-url.eu-west-1.on.aws"
DOMAIN = "www.example.com"

EVENT_SOURCES: dict[str, EventSource] = {
    event_source.name: event_source
    for event_source in (
        RestApi("rest_stage", REST_HOST, "/prod", stage_url=True),
        RestApi("rest_domain", DOMAIN),
        RestApi("rest_base_path", DOMAIN, "/shop"),
        HttpApi("http_default", HTTP_HOST),
        HttpApi("http_stage", HTTP_HOST, "/live", stage="live"),
        HttpApi("http_mapped", DOMAIN, stage="live"),
        HttpApi(
            "http_mapped_key", DOMAIN, "/shop", {"base_path": "/shop"}, stage="live"
        ),
        HttpApiFormat1("http_v1_default", HTTP_HOST),
        HttpApiFormat1("http_v1_stage", HTTP_HOST, "/live", stage="live"),
        FunctionUrl("function_url", URL_HOST),
        LoadBalancer("alb_multi", DOMAIN),
        SingleValueLoadBalancer("alb_single", DOMAIN),
    )
}

STREAMING = {"streaming": True}

# Configured for streamed responses (docs/streaming.md).
STREAMED_EVENT_SOURCES: dict[str, EventSource] = {
    event_source.name: event_source
    for event_source in (
        RestApi("rest_streamed", DOMAIN, handler_options=STREAMING),
        FunctionUrl("function_url_streamed", URL_HOST, handler_options=STREAMING),
    )
}

__all__ = [
    "EVENT_SOURCES",
    "STREAMED_EVENT_SOURCES",
    "Event",
    "EventSource",
    "Handler",
    "Request",
    "Response",
]
