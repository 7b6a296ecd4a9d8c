"""
Files as answers: a redirect to the bucket, instead of bytes that pass the function.

The link is signed for a minute. Any client that has it may load the file, so a view
checks the permission before it redirects.
"""

from collections.abc import Callable, Iterable
from functools import partial, wraps
from posixpath import basename
from tempfile import SpooledTemporaryFile
from typing import Any, cast

from django.core.files import File
from django.core.files.storage import default_storage
from django.db.models.fields.files import FieldFile
from django.http import FileResponse, HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.utils.crypto import get_random_string

from .media import S3Storage

LINK_SECONDS = 60
# The lifecycle rule of the bucket deletes what is below it after a day.
FOLDER = "exports"
# A larger answer is in /tmp while it is made.
MAX_MEMORY_BYTES = 8 * 1024 * 1024
# Of a result that is not the body: its headers, and the JSON around them.
HEADER_BYTES = 16 * 1024

# What describes the body, by its name in the storage: of the object, not the redirect.
BODY_HEADERS = {
    "ContentDisposition": "Content-Disposition",
    "ContentEncoding": "Content-Encoding",
    "ContentLanguage": "Content-Language",
    "ContentType": "Content-Type",
}

View = Callable[..., HttpResponseBase]


def file_response(
    file: FieldFile, *, filename: str = "", seconds: int = LINK_SECONDS
) -> HttpResponseBase:
    """
    Return a redirect to a file in the bucket, or the file of another storage.

    A browser saves it as ``filename``, by default the last part of its name. Raises
    ValueError if the model has no file.
    """
    if not file.name:
        raise ValueError(f"{file.instance!r} has no file in {file.field.name}")
    filename = filename or basename(file.name)
    if isinstance(file.storage, S3Storage):
        return _redirect(file.storage, file.name, seconds, filename=filename)
    return FileResponse(file.open("rb"), as_attachment=True, filename=filename)


def through_bucket(view: View) -> View:
    """
    Redirect to an answer of the view that is too large for the event source.

    The answer is stored in the bucket of the default storage, with its type and its
    Content-Disposition. A smaller one, and one outside of Lambda, is returned as
    it is. Cookies and other headers of a redirect are those of the answer.
    """

    @wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response = view(request, *args, **kwargs)
        if getattr(response, "is_rendered", True):
            return _fitting(request, response)
        # Middleware may change a TemplateResponse before it is rendered.
        cast(Any, response).add_post_render_callback(partial(_fitting, request))
        return response

    return wrapped


def _fitting(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    limit = request.META.get("aws_lambda.limit_bytes")
    if (
        not limit
        or response.status_code != 200
        or request.method == "HEAD"
        or not isinstance(default_storage, S3Storage)
    ):
        return response
    # The body is base64 in the result.
    longest = (limit - HEADER_BYTES) * 3 // 4
    body = cast(Any, response)
    if not response.streaming and len(body.content) <= longest:
        return response
    with SpooledTemporaryFile(MAX_MEMORY_BYTES) as file:
        # writelines() compares the size with the limit at its end only.
        for chunk in cast(Iterable[bytes], response):
            file.write(chunk)
        size = file.tell()
        file.seek(0)
        if size <= longest:
            body.streaming_content = [file.read()]
            return response
        return _store(default_storage, file, response)


def _store(
    default: S3Storage, file: Any, response: HttpResponseBase
) -> HttpResponseBase:
    parameters = {
        # Such as the key of the encryption.
        **{k: v for k, v in default.object_parameters.items() if k not in BODY_HEADERS},
        "ContentDisposition": "attachment",
        "ContentType": "application/octet-stream",
        **{k: response[v] for k, v in BODY_HEADERS.items() if v in response},
    }
    storage = S3Storage(
        default.bucket.name,
        region_name=default.bucket.given_region,
        object_parameters=parameters,
    )
    # A name that cannot be guessed.
    name = storage.save(f"{FOLDER}/{get_random_string(32)}", File(file))
    redirect = _redirect(storage, name, LINK_SECONDS)
    for header in (*BODY_HEADERS.values(), "Content-Length"):
        del response[header]
    for header, value in response.items():
        redirect.headers.setdefault(header, value)
    redirect.cookies = response.cookies
    # Closed with the redirect: close() of the answer would end the request for Django.
    cast(Any, redirect)._resource_closers += cast(Any, response)._resource_closers
    return redirect


def _redirect(
    storage: S3Storage, name: str, seconds: int, *, filename: str = ""
) -> HttpResponseRedirect:
    url = storage.url(name, expire=seconds, filename=filename)
    # The link ends, and is for one user.
    headers = {"Cache-Control": "private, no-store"}
    return HttpResponseRedirect(url, headers=headers)
