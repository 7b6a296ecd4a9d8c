"""A site with the features that the test client must support."""

from collections.abc import Iterator

from django.contrib import admin, messages
from django.core.files.uploadedfile import UploadedFile
from django.http import (
    FileResponse,
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    JsonResponse,
    StreamingHttpResponse,
)
from django.shortcuts import redirect
from django.template import engines
from django.urls import path, reverse


def page(request: HttpRequest) -> HttpResponse:
    """Render a template with messages."""
    template = engines["django"].from_string(
        "{% for message in messages %}[{{ message }}]{% endfor %}{{ word }}"
    )
    return HttpResponse(template.render({"word": "hello"}, request))


def facts(request: HttpRequest) -> JsonResponse:
    return JsonResponse(
        {
            "path": request.path,
            "path_info": request.path_info,
            "reversed": reverse("page"),
            "absolute": request.build_absolute_uri("/x/"),
            "secure": request.is_secure(),
            "host": request.get_host(),
            "query": request.GET.getlist("x"),
            "header": request.headers.get("X-Own"),
            "cookies": request.COOKIES,
            "address": request.META["REMOTE_ADDR"],
            "raw": request.META["apig_wsgi.full_event"].get("path"),
        }
    )


def upload(request: HttpRequest) -> JsonResponse:
    file = request.FILES["file"]
    assert isinstance(file, UploadedFile)
    return JsonResponse({"title": request.POST["title"], "sum": sum(file.read())})


def add_message(request: HttpRequest) -> HttpResponseRedirect:
    messages.success(request, "Saved.")
    return redirect("page")


def relative(request: HttpRequest) -> HttpResponseRedirect:
    return HttpResponseRedirect("../page/")


def hard_coded(request: HttpRequest) -> HttpResponseRedirect:
    """Redirect to a path without the prefix of the site."""
    return HttpResponseRedirect("/page/")


def leave(request: HttpRequest) -> HttpResponse:
    """Redirect to any URL, of any scheme."""
    response = HttpResponse(status=302)
    response["Location"] = request.GET["to"]
    return response


def preserve(request: HttpRequest) -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse("method"), preserve_request=True)


def method(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"{request.method} {request.body.decode()}")


def loop(request: HttpRequest) -> HttpResponseRedirect:
    return redirect("loop")


def stream(request: HttpRequest) -> StreamingHttpResponse:
    def chunks() -> Iterator[str]:
        yield "one, "
        yield "zwölf"

    return StreamingHttpResponse(chunks())


def download(request: HttpRequest) -> FileResponse:
    return FileResponse(open(__file__, "rb"), as_attachment=True)


def crash(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("crash")


def cookies(request: HttpRequest) -> HttpResponse:
    response = HttpResponse()
    response.set_cookie("here", "1", path=request.path)
    response.set_cookie("site", "2", path=reverse("page").removesuffix("page/"))
    response.set_cookie("host", "3")
    response.set_cookie("other", "4", path="/elsewhere")
    return response


def large(request: HttpRequest) -> HttpResponse:
    return HttpResponse(b"x" * 7_000_000)


urlpatterns = [
    path("admin/", admin.site.urls),
    path("page/", page, name="page"),
    path("facts/", facts),
    path("prod/", facts),
    path("upload/", upload),
    path("add-message/", add_message),
    path("relative/", relative),
    path("hard-coded/", hard_coded),
    path("leave/", leave),
    path("preserve/", preserve),
    path("method/", method, name="method"),
    path("loop/", loop, name="loop"),
    path("stream/", stream),
    path("download/", download),
    path("crash/", crash),
    path("cookies/", cookies),
    path("large/", large),
]
