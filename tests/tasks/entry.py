"""The site's tasks handler, with failed tasks that come back soon."""

# Sets Django up, before settings can be changed.
import lambda_entry  # isort: split

from django.conf import settings

settings.LAMBDA_TASK_BACKOFF = (1, 1)

tasks = lambda_entry.tasks
