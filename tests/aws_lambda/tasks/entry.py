"""The site's tasks handler, with failed tasks that come back at once."""

# Sets Django up, before settings can be changed.
import lambda_entry  # isort: split

from django.conf import settings

settings.LAMBDA_TASK_BACKOFF = (0, 0)

tasks = lambda_entry.tasks
