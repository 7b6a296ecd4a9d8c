from django.contrib import admin
from django.urls import include, path

from . import views

urlpatterns = [
    path("", views.home, name="home"),
    path("admin/", admin.site.urls),
    path("health/", include("apps.health.urls")),
    path("media/", include("apps.documents.urls")),
]

handler400 = "apps.aws_lambda.views.bad_request"
handler403 = "apps.aws_lambda.views.permission_denied"
handler404 = "apps.aws_lambda.views.page_not_found"
handler500 = "apps.aws_lambda.views.server_error"
