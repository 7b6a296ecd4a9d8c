"""
Uploads of programs: a grant, signed requests for its parts, and its end.

A program computes the SHA-256 of each part, sends it with the URL and the headers that
it gets, and names the token in a new document.
"""

from typing import Any

from rest_framework import serializers, status
from rest_framework.exceptions import APIException, NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.aws_lambda.aws.http import AwsError
from apps.aws_lambda.uploads import grants
from apps.documents.api.fields import TextField, WholeNumberField

FIELD = "documents.Document.file"
# PostgreSQL has no larger number.
MAX_SIZE = 2**63 - 1


class BucketUnavailable(APIException):
    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = "The bucket does not answer. Repeat the request."
    default_code = "bucket_unavailable"


class Conflict(APIException):
    status_code = status.HTTP_409_CONFLICT
    default_detail = "The bucket does not have what was granted."
    default_code = "conflict"


class NewUploadSerializer(serializers.Serializer[Any]):
    name = TextField(max_length=255, help_text="With the extension.")
    size = WholeNumberField(min_value=1, max_value=MAX_SIZE, help_text="In bytes.")


class GrantSerializer(serializers.Serializer[Any]):
    token = serializers.CharField()
    part_size = serializers.IntegerField(
        help_text="In bytes. The last part is shorter."
    )


class PartsSerializer(serializers.Serializer[Any]):
    parts = serializers.DictField(
        child=TextField(max_length=44),
        allow_empty=False,
        help_text="The base64 of the SHA-256 of each part, by its number from 1. "
        f"At most {grants.MAX_SIGNED_PARTS}.",
    )

    def validate_parts(self, value: dict[str, str]) -> dict[int, str]:
        wrong = [key for key in value if not (key.isascii() and key.isdecimal())]
        if wrong or any(len(key) > 5 for key in value):
            raise ValidationError("The names must be numbers of parts.")
        return {int(key): digest for key, digest in value.items()}


class SignedPartSerializer(serializers.Serializer[Any]):
    number = serializers.IntegerField(help_text="From 1.")
    url = serializers.URLField(
        help_text="Send the part's bytes to it with PUT, within ten minutes and "
        "without the token."
    )
    headers = serializers.DictField(
        child=serializers.CharField(), help_text="Send them with the part."
    )


class SignedSerializer(serializers.Serializer[Any]):
    parts = SignedPartSerializer(many=True)


class UploadView(APIView):
    """A view whose refusals are validation errors."""

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, grants.Unavailable):
            exc = NotFound(str(exc))
        elif isinstance(exc, grants.Refused):
            exc = ValidationError({exc.field or "upload": [str(exc)]})
        elif isinstance(exc, AwsError):
            exc = BucketUnavailable()
        return super().handle_exception(exc)


class StartView(UploadView):
    def post(self, request: Request) -> Response:
        """Get a grant for one file of this name and size."""
        given = NewUploadSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        file = given.validated_data
        upload = grants.start(FIELD, file["name"], file["size"])
        answer = {"token": upload.token, "part_size": upload.part_size}
        return Response(answer, status=status.HTTP_201_CREATED)


class SignView(UploadView):
    def post(self, request: Request, token: str) -> Response:
        """Get the requests that store the parts. They are valid for ten minutes."""
        given = PartsSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        signed = grants.sign(token, given.validated_data["parts"])
        return Response({"parts": [part._asdict() for part in signed]})


class FinishView(UploadView):
    def post(self, request: Request, token: str) -> Response:
        """Compare what the bucket has with the grant: 202 if that is not known yet."""
        try:
            grants.finish(token)
        except grants.Unfinished:
            return Response(status=status.HTTP_202_ACCEPTED)
        except grants.Unavailable:
            raise
        except grants.Refused as error:
            raise Conflict(str(error)) from None
        return Response(status=status.HTTP_204_NO_CONTENT)


class UploadDetailView(UploadView):
    def delete(self, request: Request, token: str) -> Response:
        """Cancel an upload, and delete what was sent."""
        grants.cancel(token)
        return Response(status=status.HTTP_204_NO_CONTENT)


start = StartView.as_view()
one = UploadDetailView.as_view()
sign = SignView.as_view()
finish = FinishView.as_view()
