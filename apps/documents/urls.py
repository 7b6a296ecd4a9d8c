from django.urls import path

from . import views

app_name = "documents"

urlpatterns = [
    path("<path:name>", views.download, name="download"),
]
