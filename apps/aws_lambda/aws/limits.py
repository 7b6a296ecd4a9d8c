"""AWS's limits, each with its unit in its name."""

# The largest synchronous invocation, in either direction, as bytes of JSON.
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
LAMBDA_PAYLOAD_BYTES = 6_291_556
# The largest event and result of a load balancer's target group.
# https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html
ALB_PAYLOAD_BYTES = 1_048_576
