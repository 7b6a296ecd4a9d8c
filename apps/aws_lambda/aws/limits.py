"""
Limits of AWS that the code depends on, each with its unit and its source.

Timeouts and retry counts that this project chose are where they are used.
"""

# Lambda

# A synchronous invocation: the event, and the response as JSON. The 6 MB of the
# documentation, and 100 bytes that Lambda adds.
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_PAYLOAD_BYTES = 6 * 1024 * 1024 + 100
# A streamed response.
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-response-streaming.html
MAX_STREAM_BYTES = 200 * 1024 * 1024
# A request body is inside the event, so none is larger than this.
MAX_BODY_BYTES = 6 * 1024 * 1024
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-timeout.html
MAX_INVOCATION_SECONDS = 900
MAX_INVOCATION_MS = MAX_INVOCATION_SECONDS * 1000

# API Gateway: the default integration timeout of a REST API. That of an HTTP API is
# at most 30 s.
# https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
API_GATEWAY_TIMEOUT_SECONDS = 29

# Application Load Balancer: the request body, and the response as JSON.
# https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html
MAX_ALB_PAYLOAD_BYTES = 1024 * 1024

# API Gateway: the headers of a response, names and line breaks included.
# https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html
# https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
MAX_API_GATEWAY_HEADER_BYTES = 10_240
# A REST API, of a streamed response: the headers as JSON, and what ends them.
# https://docs.aws.amazon.com/apigateway/latest/developerguide/response-transfer-mode-lambda.html
MAX_API_GATEWAY_PRELUDE_BYTES = 16 * 1024

# SQS

# Messages in a batch call.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html
MAX_SQS_BATCH_MESSAGES = 10
# One message, and all messages of a batch call together.
# https://aws.amazon.com/blogs/compute/more-room-to-build-serverless-services-now-support-payloads-up-to-1-mb/
MAX_SQS_MESSAGE_BYTES = 1024 * 1024
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-timers.html
MAX_SQS_DELAY_SECONDS = 900
# Counted from the receipt of the message.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html
MAX_SQS_VISIBILITY_TIMEOUT_SECONDS = 43_200

# Systems Manager and Secrets Manager: names in a call.
# https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameters.html
MAX_GET_PARAMETERS_NAMES = 10
# https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_BatchGetSecretValue.html
MAX_BATCH_GET_SECRET_VALUE_IDS = 20

# SES

# The recipients of a call.
# https://docs.aws.amazon.com/ses/latest/dg/quotas.html
MAX_SES_RECIPIENTS = 50
# A message with its attachments, which are base64 in it.
MAX_SES_MESSAGE_BYTES = 40 * 1024 * 1024

# S3: how long a presigned URL is valid.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-presigned-url.html
MAX_S3_LINK_SECONDS = 604_800
# The parts of an object, of at least 5 MiB except for the last one.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
MAX_S3_PARTS = 10_000

# RDS: how long an authentication token is valid.
# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.html
MAX_RDS_TOKEN_SECONDS = 900

# CloudWatch metrics in the embedded format.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html
MAX_METRIC_NAME_CHARACTERS = 255
MAX_METRIC_DIMENSION_CHARACTERS = 1024
MAX_METRICS_PER_LINE = 100
MAX_METRIC_VALUES = 100
MAX_METRIC_VALUE = 2.0**360
