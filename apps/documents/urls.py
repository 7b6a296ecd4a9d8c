from django.urls import path

from . import views

app_name = "documents"

urlpatterns = [
    path("", views.inbox, name="inbox"),
    path("rows", views.rows, name="rows"),
    path("<int:pk>/download", views.download, name="download"),
    path("<int:pk>/delete", views.delete, name="delete"),
]
