"""What UploadMiddleware serves."""

from django.urls import path

from . import PREFIX, views

urlpatterns = [
    path(f"{PREFIX}start", views.start, name="start"),
    path(f"{PREFIX}<str:token>/sign", views.sign, name="sign"),
    path(f"{PREFIX}<str:token>/state", views.state, name="state"),
    path(f"{PREFIX}<str:token>/finish", views.finish, name="finish"),
    path(f"{PREFIX}<str:token>/cancel", views.cancel, name="cancel"),
]
