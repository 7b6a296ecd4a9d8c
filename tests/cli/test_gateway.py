"""The stage of the gateway: its access log and its limits."""

import json
import re
from typing import Any

import pytest

from apps.aws_lambda.cli import ROOT
from tests.cli import template
from tests.cli.cloudformation import plain
from tests.cli.template import Resource, Template
from tests.names import SERVICE

# What API Gateway replaces:
# https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging-variables.html
# https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-variables-for-access-logging.html
COMMON = {
    *("error.message", "error.responseType", "httpMethod", "requestId", "requestTime"),
    *("integration.error", "integration.integrationStatus", "integration.latency"),
    *("integration.requestId", "integration.status"),
    *("responseLatency", "responseLength", "status"),
}


def packaged(event_source: str, **given: str) -> Template:
    if event_source != "http-api":
        given["eventSource"] = event_source
    return template.package("dev", tuple(given.items()))


def stage(made: Template) -> Resource:
    [found] = made.of_type("ApiGateway::Stage", "ApiGatewayV2::Stage").values()
    properties: Resource = found["Properties"]
    return properties


def access_log(made: Template) -> Resource | None:
    properties = stage(made)
    found: Resource | None = properties.get(
        "AccessLogSettings", properties.get("AccessLogSetting")
    )
    return found


def throttling(made: Template) -> Resource:
    properties = stage(made)
    if "DefaultRouteSettings" in properties:
        settings = properties["DefaultRouteSettings"]
    else:
        [settings] = properties["MethodSettings"]
        # Every method of every resource.
        assert (settings["HttpMethod"], settings["ResourcePath"]) == ("*", "/*")
    return {k: int(v) for k, v in settings.items() if k.startswith("Throttling")}


# The access log


@pytest.mark.parametrize(
    ("event_source", "logs"),
    [("http-api", "auto"), ("http-api", "true"), ("rest-api", "true")],
)
def test_the_access_log_is_kept_as_long_as_the_others(event_source: str, logs: str):
    given = {} if logs == "auto" else {"accessLogs": logs}
    made = packaged(event_source, **given)

    group = made.properties("GatewayLogGroup")
    settings = access_log(made)
    assert settings
    assert settings["DestinationArn"] == {"Fn::GetAtt": ["GatewayLogGroup", "Arn"]}
    assert group["LogGroupName"] == f"/aws/vendedlogs/apigateway/{SERVICE}-dev"
    function = made.properties("HttpLogGroup")
    assert group["RetentionInDays"] == function["RetentionInDays"]


@pytest.mark.parametrize(
    ("event_source", "logs"),
    [("http-api", "false"), ("rest-api", "auto")],
)
def test_a_gateway_without_an_access_log_has_no_group(event_source: str, logs: str):
    given = {} if logs == "auto" else {"accessLogs": logs}
    made = packaged(event_source, **given)

    assert access_log(made) is None
    assert "GatewayLogGroup" not in made.resources


def test_a_function_url_has_neither_a_log_nor_a_stage():
    made = template.function_url()

    assert "GatewayLogGroup" not in made.resources
    assert not made.of_type("ApiGateway::Stage", "ApiGatewayV2::Stage")
    with pytest.raises(template.PackageError, match="accessLogs requires a gateway"):
        packaged("function-url", accessLogs="true")


def fields(event_source: str) -> dict[str, str]:
    settings = access_log(packaged(event_source, accessLogs="true"))
    assert settings
    # AWS accepts one line.
    assert "\n" not in settings["Format"]
    found: dict[str, str] = json.loads(settings["Format"])
    return found


def test_both_gateways_log_the_same_fields():
    http, rest = fields("http-api"), fields("rest-api")

    assert {k for k in http if http[k] != rest.get(k)} == {"route"}
    assert http.keys() == rest.keys()
    names = {value.removeprefix("$context.") for value in http.values()}
    assert names - {"routeKey"} <= COMMON
    assert rest["route"] == "$context.resourcePath"


def test_no_path_and_no_address_is_logged():
    for value in [*fields("http-api").values(), *fields("rest-api").values()]:
        assert not re.search(r"\.path|identity|userAgent|protocol", value)


def test_every_field_of_the_access_log_is_documented():
    text = (ROOT / "docs" / "operate.md").read_text()
    table = text.partition("| field of the gateway's log |")[2].partition("\n\n")[0]
    rows = [row.split("|")[1] for row in table.splitlines()[2:]]
    documented = {name for cell in rows for name in re.findall(r"`(\w+)`", cell)}

    assert documented == fields("http-api").keys()


# Limits


@pytest.mark.parametrize("event_source", ["http-api", "rest-api"])
def test_a_gateway_refuses_more_requests_than_the_parameters_allow(event_source: str):
    made = packaged(event_source, throttleRate="200", throttleBurst="50")

    assert throttling(made) == {
        "ThrottlingRateLimit": 200,
        "ThrottlingBurstLimit": 50,
    }


@pytest.mark.parametrize("event_source", ["http-api", "rest-api"])
def test_the_limits_are_on_by_default(event_source: str):
    assert throttling(packaged(event_source)) == {
        "ThrottlingRateLimit": 1000,
        "ThrottlingBurstLimit": 1000,
    }


def test_settings_of_serverless_yml_are_kept():
    settings = stage(template.default())["DefaultRouteSettings"]

    assert settings["DetailedMetricsEnabled"] is False


# The stage of a REST API


def test_the_stage_of_a_rest_api_is_a_resource_that_can_change():
    made = packaged("rest-api")

    [(name, deployment)] = made.of_type("ApiGateway::Deployment").items()
    assert "StageName" not in deployment["Properties"]
    assert stage(made)["DeploymentId"] == {"Ref": name}
    assert stage(made)["RestApiId"] == deployment["Properties"]["RestApiId"]
    assert stage(made)["StageName"] == "dev"
    # What used the stage of the deployment waits for it.
    for resource in made.resources.values():
        assert name not in as_list(resource.get("DependsOn", []))


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def test_the_url_of_a_rest_api_has_its_stage():
    made = packaged("rest-api")

    url = plain(made.body["Outputs"]["ServiceEndpoint"]["Value"])
    assert url.endswith("/" + stage(made)["StageName"])
