from django.conf import settings
from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import include, path

from apps.documents.views import media

from . import views

admin.site.site_header = settings.SITE_TITLE
admin.site.site_title = settings.SITE_TITLE

urlpatterns = [
    path("", views.home, name="home"),
    path("admin/", admin.site.urls),
    path("api/", include("project.api.urls")),
    path("health/", include("apps.health.urls")),
    path("inbox/", include("apps.documents.urls")),
    # Not by settings, which are for the admin's logins and logouts, too.
    path(
        "login/",
        LoginView.as_view(template_name="login.html", next_page="documents:inbox"),
        name="login",
    ),
    path("logout/", LogoutView.as_view(next_page="login"), name="logout"),
    # Links of a storage on the local disk.
    path("media/<path:name>", media, name="media"),
]

if settings.ADMIN_DOCS:
    urlpatterns.insert(0, path("admin/doc/", include("django.contrib.admindocs.urls")))

if settings.DEBUG_TOOLBAR:
    urlpatterns.append(path("__debug__/", include("debug_toolbar.urls")))

handler400 = "apps.aws_lambda.views.bad_request"
handler403 = "apps.aws_lambda.views.permission_denied"
handler404 = "apps.aws_lambda.views.page_not_found"
handler500 = "apps.aws_lambda.views.server_error"
