from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt

from .models import Product

MEBIBYTE = bytes(range(256)) * 4096
FIVE_MB = "Five megabytes of text. " * 208_333
LINES = [(number, f"Line {number} of the page") for number in range(220)]


def status(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"status": "ok", "items": [1, 2, 3]})


def products(request: HttpRequest) -> HttpResponse:
    found = Product.objects.select_related("category").order_by("pk")[:20]
    rows = [
        {"name": p.name, "price": str(p.price), "category": p.category.name}
        for p in found
    ]
    return JsonResponse({"products": rows})


def page(request: HttpRequest) -> HttpResponse:
    return render(request, "shop/page.html", {"lines": LINES})


def image(request: HttpRequest) -> HttpResponse:
    return HttpResponse(MEBIBYTE, content_type="image/png")


@csrf_exempt
def upload(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"bytes": len(request.body)})


def report(request: HttpRequest) -> HttpResponse:
    return HttpResponse(FIVE_MB, content_type="text/plain")
