"""Run any Django project on AWS Lambda as if it were on a server."""
