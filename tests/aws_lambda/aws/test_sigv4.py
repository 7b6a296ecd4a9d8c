"""Signatures, compared with those of botocore."""

from datetime import UTC, datetime
from unittest import mock
from urllib.parse import parse_qsl, quote, urlsplit

import botocore.auth
import botocore.credentials
from botocore.awsrequest import AWSRequest
from hypothesis import given
from hypothesis import strategies as st

from apps.aws_lambda.aws.sigv4 import (
    Credentials,
    Scope,
    encode,
    presigned_query,
    signed_headers,
)

visible = st.text(
    st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40
)
credentials = st.builds(Credentials, visible, visible, st.just("") | visible)
scopes = st.builds(
    Scope,
    st.sampled_from(["eu-central-1", "us-east-1", "cn-north-1"]),
    st.sampled_from(["ssm", "secretsmanager", "rds-db", "ses"]),
    st.datetimes(datetime(2020, 1, 1), datetime(2099, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)


def for_botocore(signer: Credentials) -> botocore.credentials.Credentials:
    return botocore.credentials.Credentials(*signer[:2], signer.token or None)


def at(scope: Scope) -> mock._patch:
    return mock.patch.object(
        botocore.auth, "get_current_datetime", return_value=scope.time
    )


@given(credentials, scopes, st.binary(max_size=100))
def test_a_signed_request_equals_botocores(signer, scope, body):
    headers = {
        "content-type": "application/x-amz-json-1.1",
        "host": "ssm.example.com:8443",
        "x-amz-target": "AmazonSSM.GetParameters",
    }
    theirs = AWSRequest("POST", "https://ssm.example.com:8443/", dict(headers), body)
    with at(scope):
        botocore.auth.SigV4Auth(
            for_botocore(signer), scope.service, scope.region
        ).add_auth(theirs)

    ours = signed_headers(signer, scope, headers, body)

    assert ours == {name.lower(): value for name, value in theirs.headers.items()}


@given(credentials, scopes, st.binary(max_size=100), st.text(max_size=20))
def test_a_signed_path_equals_botocores(signer, scope, body, text):
    path = f"/v2/email/{quote(text, safe='~')}"
    headers = {"content-type": "application/json", "host": "ses.example.com"}
    theirs = AWSRequest("POST", f"https://ses.example.com{path}", dict(headers), body)
    with at(scope):
        botocore.auth.SigV4Auth(
            for_botocore(signer), scope.service, scope.region
        ).add_auth(theirs)

    ours = signed_headers(signer, scope, headers, body, path)

    assert ours == {name.lower(): value for name, value in theirs.headers.items()}


@given(
    credentials,
    scopes,
    st.binary(max_size=100),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    st.sampled_from(["GET", "HEAD", "PUT", "DELETE", "POST"]),
    st.dictionaries(st.sampled_from(["uploads", "partNumber", "uploadId"]), visible),
)
def test_a_signed_request_to_s3_equals_botocores(
    signer, scope, body, key, method, parameters
):
    scope = scope._replace(service="s3")
    path = "/" + quote(key, safe="/-_.~")
    headers = {"host": "media.example.com", "content-disposition": "a;  b"}
    query = encode(parameters)
    theirs = AWSRequest(
        method, f"https://media.example.com{path}?{query}", dict(headers), body
    )
    with at(scope):
        botocore.auth.S3SigV4Auth(
            for_botocore(signer), scope.service, scope.region
        ).add_auth(theirs)

    ours = signed_headers(
        signer, scope, headers, body, path, method=method, query=query
    )

    assert ours == {name.lower(): value for name, value in theirs.headers.items()}


@given(credentials, scopes, visible)
def test_a_presigned_query_equals_botocores(signer, scope, user):
    parameters = {"Action": "connect", "DBUser": user}
    theirs = AWSRequest("GET", "https://db.example.com:5432/", params=parameters)
    with at(scope):
        botocore.auth.SigV4QueryAuth(
            for_botocore(signer),
            scope.service,
            scope.region,
            expires=900,
        ).add_auth(theirs)

    ours = presigned_query(signer, scope, "db.example.com:5432", parameters, 900)

    assert dict(parse_qsl(ours, strict_parsing=True)) == dict(
        parse_qsl(urlsplit(theirs.url).query, strict_parsing=True)
    )


def test_the_repr_of_credentials_has_no_secret():
    assert repr(Credentials("AKIA", "secret", "token")) == "Credentials(...)"
