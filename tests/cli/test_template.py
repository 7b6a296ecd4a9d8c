"""Properties of the deployed template that a local AWS does not check."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings

from apps.aws_lambda.cli import ROOT
from apps.aws_lambda.cli.bucket import rules
from tests.cli import template
from tests.cli.cloudformation import plain, read
from tests.cli.template import EVERYTHING, PackageError, Template
from tests.names import SERVICE

WRAPPER = "AWS_LAMBDA_EXEC_WRAPPER"
DEPLOYMENT = ROOT / "apps/aws_lambda/cli/serverless"
FUNCTIONS = {
    "Http": "http",
    "Tasks": "tasks",
    "Schedule": "schedule",
    "Manage": "manage",
}
TEMPLATES = [template.default, template.everything, template.function_url]
in_every_template = pytest.mark.parametrize(
    "make", TEMPLATES, ids=[make.__name__ for make in TEMPLATES]
)
NAMESPACE = "DjangoOnLambda"
Make = Callable[[], Template]


def walk(value: Any) -> Iterator[Any]:
    """Yield the value and every value in it."""
    yield value
    if isinstance(value, dict):
        value = value.values()
    if not isinstance(value, str) and hasattr(value, "__iter__"):
        for item in value:
            yield from walk(item)


@in_every_template
def test_the_linter_finds_only_what_the_cli_causes(make: Make):
    from cfnlint.api import lint_file

    found = {(match.rule.id, match.message) for match in lint_file(make().path)}

    # "dependency already enforced": the CLI writes both.
    found = {pair for pair in found if pair[0] != "W3005"}
    if make is not template.everything:
        # A part that the stage does not have, whose parameters are empty.
        found = {
            (rule, message)
            for rule, message in found
            if rule != "W1028" and not message.startswith("'' ")
        }
    assert found == set()


@in_every_template
def test_each_kind_of_event_has_its_own_function(make: Make):
    functions = make().of_type("Lambda::Function")

    assert set(functions) == {f"{name}LambdaFunction" for name in FUNCTIONS}
    for name, handler in FUNCTIONS.items():
        properties = make().properties(f"{name}LambdaFunction")
        assert properties["Handler"] == f"lambda_entry.{handler}"
        assert properties["Architectures"] == [template.ARCHITECTURE]
        assert properties["Runtime"] == "python3.13"
        assert properties["Role"] == {"Fn::GetAtt": [f"{name}Role", "Arn"]}
        assert properties["LoggingConfig"]["LogFormat"] == "JSON"


@in_every_template
def test_chains_of_tasks_do_not_end_in_recursive_loop_detection(make: Make):
    allowed = [
        name
        for name, function in make().of_type("Lambda::Function").items()
        if function["Properties"].get("RecursiveLoop") == "Allow"
    ]

    assert allowed == ["TasksLambdaFunction"]


def test_the_web_function_times_out_before_any_gateway():
    event_sources = read(DEPLOYMENT / "deployment.yml")["eventSources"]

    for make in TEMPLATES:
        timeout = make().properties("HttpLambdaFunction")["Timeout"]

        assert all(timeout < source["timeout"] for source in event_sources.values())


# Secrets


@in_every_template
def test_no_secret_is_in_the_template(make: Make):
    for function in FUNCTIONS:
        environment = make().environment(function)

        for name in ("SECRET_KEY", "DATABASE_URL"):
            assert re.match("(ssm|secretsmanager):", environment[name])


@in_every_template
def test_every_environment_variable_is_documented(make: Make):
    documented = re.findall(r"^#?\s?(\w+)=", (ROOT / ".env.example").read_text(), re.M)

    # docs/runtime.md has the variable that is Lambda's own.
    names = set(make().environment()) - {WRAPPER}
    assert names <= set(documented)


def test_the_runtime_client_of_the_package_is_started_for_every_function():
    wrapper = "/var/task/apps/aws_lambda/runtime/wrapper"

    for function in ("Http", "Tasks", "Schedule", "Manage"):
        assert WRAPPER not in template.default().environment(function)
        assert template.everything().environment(function)[WRAPPER] == wrapper
    assert (ROOT / wrapper.removeprefix("/var/task/")).is_file()


def test_each_function_may_read_its_ssm_parameters():
    environment = template.default().environment()
    [read, *_] = statements(template.default(), "ssm:GetParameters")

    names = [
        resource["Fn::Sub"].partition(":parameter")[2] for resource in read["Resource"]
    ]
    for name in ("SECRET_KEY", "DATABASE_URL"):
        assert environment[name].removeprefix("ssm:") in names
    assert names[-1] == f"/{SERVICE}/dev/origin-secret"
    assert len(names) == 4


def test_the_secret_and_the_proxies_of_a_site_behind_cloudfront_are_set():
    alone, behind = template.default().environment(), template.everything()

    assert alone["LAMBDA_ORIGIN_SECRET"] == ""
    assert str(alone["LAMBDA_TRUSTED_PROXIES"]) == "1"
    for name in FUNCTIONS:
        variables = behind.environment(name)
        assert variables["LAMBDA_ORIGIN_SECRET"] == EVERYTHING["originSecret"]
        assert variables["LAMBDA_TRUSTED_PROXIES"] == EVERYTHING["trustedProxies"]


def test_secrets_and_database_logins_are_allowed_only_if_configured():
    made = template.everything()

    [secret] = statements(made, "secretsmanager:GetSecretValue")
    [login] = statements(made, "rds-db:connect")
    assert secret["Resource"] == EVERYTHING["secret"]
    [decrypt] = statements(made, "kms:Decrypt")
    assert login["Resource"] == EVERYTHING["databaseUser"]
    assert decrypt["Resource"] == EVERYTHING["kmsKey"]
    assert not statements(template.default(), "kms:Decrypt")
    assert made.environment()["LAMBDA_DATABASE_IAM_AUTH"] == "true"
    assert template.default().environment()["LAMBDA_DATABASE_IAM_AUTH"] == "false"


# Roles


def documents(made: Template) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the owner and the statement of each permission."""
    for name, policy in made.of_type("IAM::ManagedPolicy").items():
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
            yield name, statement
    for name, role in made.of_type("IAM::Role").items():
        for policy in role["Properties"].get("Policies", ()):
            for statement in policy["PolicyDocument"]["Statement"]:
                yield name, statement


def statements(made: Template, action: str) -> list[dict[str, Any]]:
    return [s for _, s in documents(made) if action in as_list(s["Action"])]


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


# Actions without resource-level permissions.
UNLIMITED = {
    "cloudwatch:DescribeAlarms",
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
}


SES = "arn:${AWS::Partition}:ses:${AWS::Region}:${AWS::AccountId}"


@in_every_template
def test_no_role_has_wildcards(make: Make):
    given = list(documents(make()))

    assert given
    for name, statement in given:
        actions = as_list(statement["Action"])
        assert not [action for action in actions if "*" in action], name
        for resource in as_list(statement["Resource"]):
            text = json.dumps(resource)
            # A file may have any name, and the configuration set of an identity.
            named = ("${MediaBucket.Arn}/*", f"{SES}:configuration-set/*")
            if resource not in [{"Fn::Sub": name} for name in named] and "*" in text:
                assert set(actions) <= UNLIMITED, name


PARAMETER = "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter"
# The address and its domain: either is verified.
IDENTITY = {
    f"{SES}:identity/{EVERYTHING['mailFrom']}",
    f"{SES}:identity/example.com",
    f"{SES}:configuration-set/*",
}
# Every action that is allowed, with its resources.
LISTED = {
    "cloudwatch:DescribeAlarms": {"*"},
    "ec2:AssignPrivateIpAddresses": {"*"},
    "ec2:CreateNetworkInterface": {"*"},
    "ec2:DeleteNetworkInterface": {"*"},
    "ec2:DescribeNetworkInterfaces": {"*"},
    "ec2:DescribeSubnets": {"*"},
    "ec2:UnassignPrivateIpAddresses": {"*"},
    "kms:Decrypt": {EVERYTHING["kmsKey"]},
    "lambda:GetAlias": {"HttpLambdaFunction.Arn", "${HttpLambdaFunction.Arn}:live"},
    "lambda:GetProvisionedConcurrencyConfig": {
        "HttpLambdaFunction.Arn",
        "${HttpLambdaFunction.Arn}:live",
    },
    "lambda:InvokeFunction": {"${ScheduleLambdaFunction.Arn}:live"},
    "lambda:UpdateAlias": {"HttpLambdaFunction.Arn", "${HttpLambdaFunction.Arn}:live"},
    "logs:CreateLogStream": {f"${{{name}LogGroup.Arn}}" for name in FUNCTIONS},
    "logs:PutLogEvents": {f"${{{name}LogGroup.Arn}}" for name in FUNCTIONS},
    "rds-db:connect": {EVERYTHING["databaseUser"]},
    "s3:AbortMultipartUpload": {"${MediaBucket.Arn}/*"},
    "s3:DeleteObject": {"${MediaBucket.Arn}/*"},
    "s3:GetObject": {"${MediaBucket.Arn}/*"},
    "s3:ListBucket": {"MediaBucket.Arn"},
    "s3:ListMultipartUploadParts": {"${MediaBucket.Arn}/*"},
    "s3:PutObject": {"${MediaBucket.Arn}/*"},
    "secretsmanager:GetSecretValue": {EVERYTHING["secret"]},
    "ses:SendEmail": IDENTITY,
    "ses:SendRawEmail": IDENTITY,
    "sqs:ChangeMessageVisibility": {"TaskQueue.Arn"},
    "sqs:DeleteMessage": {"TaskQueue.Arn"},
    "sqs:GetQueueAttributes": {"TaskQueue.Arn"},
    "sqs:ReceiveMessage": {"TaskQueue.Arn"},
    "sqs:SendMessage": {"TaskQueue.Arn"},
    "ssm:GetParameters": {
        f"{PARAMETER}/{SERVICE}/prod/{name}"
        for name in (
            "database-url",
            "origin-secret",
            "secret-key",
            "secret-key-fallbacks",
        )
    },
    "xray:PutTelemetryRecords": {"*"},
    "xray:PutTraceSegments": {"*"},
}


def test_every_permission_is_listed_with_its_resources():
    given: dict[str, set[str]] = {}
    for _, statement in documents(template.everything()):
        for action in as_list(statement["Action"]):
            for resource in as_list(statement["Resource"]):
                if isinstance(resource, dict) and "Fn::Sub" in resource:
                    resource = plain(resource)
                elif isinstance(resource, dict):
                    [(kind, value)] = resource.items()
                    resource = ".".join(value) if kind == "Fn::GetAtt" else value
                given.setdefault(action, set()).add(resource)

    assert given == LISTED


def test_functions_send_e_mail_from_one_address_if_there_is_one():
    made = template.everything()

    [statement] = statements(made, "ses:SendRawEmail")
    assert statement["Condition"] == {
        "StringEquals": {"ses:FromAddress": EVERYTHING["mailFrom"]}
    }
    for name in FUNCTIONS:
        assert "ses:SendEmail" in actions_of(made, f"{name}Role")
        assert made.environment(name)["MAIL_FROM"] == EVERYTHING["mailFrom"]
    assert not statements(template.default(), "ses:SendEmail")
    assert template.default().environment()["MAIL_FROM"] == ""


def test_endpoints_include_ses_only_with_e_mail():
    private = {
        name: EVERYTHING[name]
        for name in ("subnets", "securityGroup", "endpointsVpc", "endpointsRouteTables")
    } | {"vpc": "private"}
    without = template.package("dev", tuple(private.items()))

    endpoint = template.everything().properties("MailEndpoint")
    # email-smtp is the SMTP interface.
    assert endpoint["ServiceName"] == {"Fn::Sub": "com.amazonaws.${AWS::Region}.email"}
    assert "SqsEndpoint" in without.resources
    assert "MailEndpoint" not in without.resources


def actions_of(made: Template, role: str) -> set[str]:
    policies = [ref.get("Ref") for ref in made.properties(role)["ManagedPolicyArns"]]
    return {
        action
        for name, statement in documents(made)
        if name in (role, *policies)
        for action in as_list(statement["Action"])
    }


def test_the_web_function_receives_no_messages_and_invokes_no_functions():
    actions = actions_of(template.everything(), "HttpRole")

    assert "sqs:SendMessage" in actions
    assert "sqs:ReceiveMessage" not in actions
    assert not [action for action in actions if action.startswith("lambda:")]


@in_every_template
def test_commands_of_an_operator_enqueue_tasks_and_delete_files(make: Make):
    actions = actions_of(make(), "ManageRole")

    assert {"sqs:SendMessage", "s3:DeleteObject"} <= actions
    # It consumes none, and invokes no function.
    assert "sqs:ReceiveMessage" not in actions
    assert not [action for action in actions if action.startswith("lambda:")]


def test_the_functions_that_enqueue_are_those_in_the_documentation():
    text = (ROOT / "docs" / "tasks.md").read_text()
    documented = re.search(r"functions that enqueue: (.*?) \|", text)

    assert documented
    allowed = [
        handler
        for name, handler in FUNCTIONS.items()
        if "sqs:SendMessage" in actions_of(template.default(), f"{name}Role")
    ]
    assert documented[1].split(", ") == allowed


@in_every_template
def test_each_function_writes_only_its_own_log(make: Make):
    for name in FUNCTIONS:
        [statement] = [
            statement
            for owner, statement in documents(make())
            if owner == f"{name}Role" and "logs:PutLogEvents" in statement["Action"]
        ]
        assert statement["Resource"] == {"Fn::Sub": f"${{{name}LogGroup.Arn}}"}


# Versions


@in_every_template
def test_every_event_source_invokes_the_alias(make: Make):
    made = make()
    callers = made.of_type(
        "ApiGateway::Method",
        "ApiGatewayV2::Integration",
        "Lambda::EventInvokeConfig",
        "Lambda::EventSourceMapping",
        "Lambda::Permission",
        "Lambda::Url",
        "Scheduler::Schedule",
    )

    assert callers
    for name, caller in callers.items():
        text = json.dumps(caller["Properties"])
        if "LambdaFunction" in text:
            assert re.search(r'"live"|:live"', text), name
            assert re.search("[A-Z][a-z]+Live", json.dumps(caller["DependsOn"])), name


def test_a_new_version_is_live_at_once_without_the_parameter_live():
    made = template.default()
    kept = template.package("dev", (("live", "http:12,tasks:9"),))

    version = made.properties("HttpLive")["FunctionVersion"]
    assert made.resources[version["Fn::GetAtt"][0]]["Type"] == "AWS::Lambda::Version"
    assert kept.properties("HttpLive")["FunctionVersion"] == "12"
    assert kept.properties("TasksLive")["FunctionVersion"] == "9"
    assert "Fn::GetAtt" in kept.properties("ManageLive")["FunctionVersion"]


@pytest.mark.parametrize("live", ["twelve", "http:12,web:3", "http:"])
def test_an_invalid_list_of_versions_is_refused(live: str):
    with pytest.raises(PackageError, match=f"--param live={live}: ") as e:
        template.package("dev", (("live", live),))

    assert "the functions are http, schedule, manage, tasks." in str(e.value)
    assert_no_stack_trace(str(e.value))


def assert_no_stack_trace(output: str) -> None:
    assert "serverless-plugin" not in output


def version_of_the_web(**parameters: str) -> str:
    made = template.package("dev", tuple(parameters.items()))
    reference = made.properties("HttpLive")["FunctionVersion"]["Fn::GetAtt"][0]
    assert made.resources[reference]["Type"] == "AWS::Lambda::Version"
    assert len(made.of_type("Lambda::Version")) == len(FUNCTIONS)
    output = made.body["Outputs"]["HttpLambdaFunctionQualifiedArn"]
    assert output["Value"] == {"Ref": reference}
    return str(reference)


def test_switching_snapstart_publishes_a_new_version():
    with_it = version_of_the_web(snapStart="PublishedVersions")

    assert with_it != version_of_the_web()


def test_a_new_value_of_a_parameter_publishes_a_new_version():
    versions = {version_of_the_web(parametersVersion=digest) for digest in "abb"}
    made = template.package("dev", (("parametersVersion", "a"),))

    assert len(versions) == 2
    for function in FUNCTIONS:
        assert made.environment(function)["LAMBDA_PARAMETERS_VERSION"] == "a"
    assert "LAMBDA_PARAMETERS_VERSION" not in template.default().environment()


def test_provisioned_concurrency_publishes_no_new_version():
    assert version_of_the_web() == version_of_the_web(provisionedConcurrency="2")


# Event sources


def test_an_http_api_sends_every_path_in_payload_format_2():
    made = template.default()

    [route] = made.of_type("ApiGatewayV2::Route").values()
    [integration] = made.of_type("ApiGatewayV2::Integration").values()
    assert route["Properties"]["RouteKey"] == "$default"
    assert integration["Properties"]["PayloadFormatVersion"] == "2.0"
    assert not made.of_type("ApiGateway::RestApi", "Lambda::Url")


REST = (("eventSource", "rest-api"),)


def test_a_rest_api_is_regional_and_binary_safe():
    made = template.everything()

    [api] = made.of_type("ApiGateway::RestApi").values()
    assert api["Properties"]["BinaryMediaTypes"] == ["*/*"]
    assert api["Properties"]["EndpointConfiguration"]["Types"] == ["REGIONAL"]
    paths = made.of_type("ApiGateway::Resource").values()
    assert [path["Properties"]["PathPart"] for path in paths] == ["{proxy+}"]
    assert not made.of_type("ApiGatewayV2::Api", "Lambda::Url")


def test_a_function_url_needs_no_gateway():
    made = template.function_url()

    [url] = made.of_type("Lambda::Url").values()
    assert url["Properties"]["AuthType"] == "NONE"
    assert not made.of_type("ApiGatewayV2::Api", "ApiGateway::RestApi")


def test_a_rest_api_streams_for_as_long_as_lambda_does():
    streamed, buffered = template.everything(), template.package("dev", REST)

    for made, streams in ((streamed, True), (buffered, False)):
        methods = made.of_type("ApiGateway::Method").values()
        integrations = [method["Properties"]["Integration"] for method in methods]
        assert len(integrations) == 2
        for integration in integrations:
            function, kind = json.dumps(integration["Uri"]), integration["Type"]
            assert kind == "AWS_PROXY"
            assert ("/response-streaming-invocations" in function) == streams
            assert '":", "live"' in function
            assert integration.get("ResponseTransferMode") == (
                "STREAM" if streams else None
            )
            assert integration.get("TimeoutInMillis") == (900_000 if streams else None)
        variables = made.environment()
        assert variables.get("LAMBDA_STREAMING") == ("true" if streams else None)
        assert "LAMBDA_STREAMING" not in made.environment("Manage")


def test_a_function_url_streams():
    parameters = {"eventSource": "function-url", "runtime": "own", "streaming": "true"}
    made = template.package("dev", tuple(parameters.items()))

    [url] = made.of_type("Lambda::Url").values()
    assert url["Properties"]["InvokeMode"] == "RESPONSE_STREAM"
    assert url["Properties"]["AuthType"] == "NONE"
    [buffered] = template.function_url().of_type("Lambda::Url").values()
    assert buffered["Properties"].get("InvokeMode", "BUFFERED") == "BUFFERED"


def test_a_domain_is_mapped_after_the_stage_exists():
    made = template.everything()

    [mapping] = made.of_type("ApiGatewayV2::ApiMapping").values()
    assert mapping["Properties"]["ApiId"] == {"Ref": "ApiGatewayRestApi"}
    assert mapping["Properties"]["ApiMappingKey"] == EVERYTHING["basePath"]
    [stage] = made.of_type("ApiGateway::Stage")
    assert mapping["DependsOn"] == [stage]


# Parts


def test_the_visibility_timeout_is_six_times_the_functions_timeout():
    made = template.default()

    timeout = made.properties("TasksLambdaFunction")["Timeout"]
    assert made.properties("TaskQueue")["VisibilityTimeout"] == 6 * timeout


def test_every_schedule_is_allowed_by_the_settings():
    schedules = template.default().of_type("Scheduler::Schedule").values()

    assert schedules
    for schedule in schedules:
        given = json.loads(schedule["Properties"]["Target"]["Input"])
        line = [given["command"], *given["args"]]
        assert line in settings.LAMBDA_SCHEDULED_COMMANDS


def test_the_settings_have_the_name_of_the_manage_function():
    name = template.default().properties("ManageLambdaFunction")["FunctionName"]

    assert settings.LAMBDA_MANAGE_FUNCTION.format(stage="dev") == name


def test_failed_messages_end_in_a_dead_letter_queue_with_an_alarm():
    made = template.everything()

    [mapping] = made.of_type("Lambda::EventSourceMapping").values()
    assert mapping["Properties"]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    redrive = made.properties("TaskQueue")["RedrivePolicy"]
    assert redrive["deadLetterTargetArn"] == {
        "Fn::GetAtt": ["TaskDeadLetterQueue", "Arn"]
    }
    [dimension] = made.properties("DeadLettersAlarm")["Dimensions"]
    assert dimension["Value"] == {"Fn::GetAtt": ["TaskDeadLetterQueue", "QueueName"]}


@in_every_template
def test_uploaded_files_are_private_encrypted_and_retained(make: Make):
    bucket = make().resources["MediaBucket"]

    assert all(bucket["Properties"]["PublicAccessBlockConfiguration"].values())
    assert len(bucket["Properties"]["PublicAccessBlockConfiguration"]) == 4
    assert "BucketEncryption" in bucket["Properties"]
    assert bucket["DeletionPolicy"] == "RetainExceptOnCreate"
    assert bucket["UpdateReplacePolicy"] == "Retain"


def test_the_lifecycle_rules_are_those_that_the_command_bucket_expects():
    given = template.default().properties("MediaBucket")["LifecycleConfiguration"]
    made = [in_words_of_s3(rule) for rule in given["Rules"]]

    assert sorted(map(rules.unfinished, made)) == [0, 0, 2]
    assert sorted(map(rules.answers, made)) == [0, 0, 1]


def in_words_of_s3(rule: dict[str, Any]) -> dict[str, Any]:
    """Return a lifecycle rule as S3 returns that of CloudFormation."""
    days = {"Expiration": {"Days": rule.get("ExpirationInDays", 0)}}
    return {**rule, **days, "Filter": {"Prefix": rule.get("Prefix", "")}}


@in_every_template
def test_a_first_deployment_that_fails_leaves_nothing_behind(make: Make):
    policies = {
        name: resource["DeletionPolicy"]
        for name, resource in make().resources.items()
        if "DeletionPolicy" in resource
    }

    assert {"MediaBucket", "MediaBucketPolicy"} <= set(policies)
    assert set(policies.values()) == {"RetainExceptOnCreate"}


def origins(made: Template) -> list[str]:
    """Return the origins whose scripts may write to the bucket."""
    [rule] = made.properties("MediaBucket")["CorsConfiguration"]["CorsRules"]
    found: list[str] = plain(rule["AllowedOrigins"])
    return found


CLOUDFRONT = "https://shop.example.com"


@pytest.mark.parametrize(
    ("event_source", "path"),
    [("http-api", ""), ("rest-api", "/shop"), ("function-url", "/a/b")],
)
def test_pages_of_the_public_url_may_upload_to_the_bucket(event_source: str, path: str):
    parameters = {"eventSource": event_source, "publicUrl": CLOUDFRONT + path}

    assert origins(template.package("dev", tuple(parameters.items()))) == [CLOUDFRONT]


def test_pages_of_the_domain_or_the_gateway_may_upload_to_the_bucket():
    domain = {name: EVERYTHING[name] for name in ("domain", "certificate")}

    assert origins(template.package("dev", tuple(domain.items()))) == [CLOUDFRONT]
    assert origins(template.default()) == [
        "https://${HttpApi}.execute-api.${AWS::Region}.${AWS::URLSuffix}"
    ]
    assert origins(template.function_url()) == [
        "https://*.lambda-url.${AWS::Region}.on.aws"
    ]


def test_pages_of_cors_origins_may_upload_to_the_bucket():
    assert origins(template.everything()) == [
        CLOUDFRONT,
        *EVERYTHING["corsOrigins"].split(","),
    ]


def test_the_domain_and_the_gateway_are_allowed_hosts():
    hosts = template.everything().environment()["ALLOWED_HOSTS"]

    gateway, domain = hosts["Fn::Join"][1]
    assert gateway == {
        "Fn::Sub": "${ApiGatewayRestApi}.execute-api.${AWS::Region}.${AWS::URLSuffix}"
    }
    assert domain == EVERYTHING["domain"]


def test_optional_parts_are_absent_by_default():
    optional = {
        "ApiGatewayV2::ApiMapping",
        "CloudWatch::Alarm",
        "CloudWatch::Dashboard",
        "CodeDeploy::DeploymentGroup",
        "EC2::VPCEndpoint",
        "SNS::Topic",
    }

    for kind in optional:
        assert not template.default().of_type(kind)
        assert template.everything().of_type(kind)
    function = template.default().properties("HttpLambdaFunction")
    for name in ("ReservedConcurrentExecutions", "TracingConfig", "VpcConfig"):
        assert name not in function
        assert name in template.everything().properties("HttpLambdaFunction")


def test_a_canary_is_judged_by_the_new_version_alone():
    made = template.everything()
    [group] = made.of_type("CodeDeploy::DeploymentGroup").values()
    alarms = made.of_type("CloudWatch::Alarm")
    judges = [
        a["Name"]["Ref"] for a in group["Properties"]["AlarmConfiguration"]["Alarms"]
    ]
    published = made.body["Outputs"]["HttpLambdaFunctionQualifiedArn"]["Value"]["Ref"]

    assert len(judges) == 2
    for judge in judges:
        properties = alarms[judge]["Properties"]
        metrics = [
            metric["MetricStat"]["Metric"]
            for metric in properties.get("Metrics", ())
            if "MetricStat" in metric
        ] or [properties]
        for metric in metrics:
            dimensions = {d["Name"]: d["Value"] for d in metric["Dimensions"]}
            version = (
                dimensions.get("ExecutedVersion") or dimensions["function_version"]
            )
            # The version that the deployment publishes.
            assert version == {"Fn::GetAtt": [published, "Version"]}
