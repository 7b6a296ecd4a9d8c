from django.apps import AppConfig


class TaskResultsConfig(AppConfig):
    # The package's own name, so that the folder can be copied anywhere.
    name = __package__
    label = "lambda_task_results"
    verbose_name = "Background tasks"
    default_auto_field = "django.db.models.BigAutoField"
