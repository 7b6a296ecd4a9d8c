from django.contrib import admin
from django.urls import include, path

from . import views

urlpatterns = [
    path("admin/", admin.site.urls),
    path("grown/", include("grown.urls")),
    path("status/", views.status),
    path("products/", views.products),
    path("page/", views.page),
    path("image/", views.image),
    path("upload/", views.upload),
    path("report/", views.report),
]
