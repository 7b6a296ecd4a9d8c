"""
A runtime client: the loop between Lambda's Runtime API and a handler.

It takes the place of AWS's own, awslambdaric, where AWS_LAMBDA_EXEC_WRAPPER names the
file ``wrapper`` of this package, and does the same in all that a function can observe
(docs/runtime.md). It imports neither Django nor the site.
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""
