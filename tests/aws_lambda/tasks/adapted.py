"""
Django's own tests of task backends, run with SQSBackend.

test_django.py runs this file, with Django's tests on the path. Tests that are left
out have a reason.
"""

from collections.abc import Callable
from unittest import TestCase

import pytest
from django.conf import settings
from django.tasks import TaskResult
from django.test import TransactionTestCase, override_settings
from tasks import test_dummy_backend, test_immediate_backend, test_tasks

from apps.aws_lambda import handlers
from apps.aws_lambda.tasks.backend import SQSBackend
from apps.aws_lambda.tasks.results.models import StoredTask
from apps.aws_lambda.test import LambdaContext
from tests.aws_lambda.tasks.conftest import Queue
from tests.services.aws import AWS


class ListedBackend(SQSBackend):
    """SQSBackend with the attributes of the dummy backend that the tests use."""

    @property
    def results(self) -> list[TaskResult]:
        return [
            stored.result() for stored in StoredTask.objects.order_by("enqueued_at")
        ]

    def clear(self) -> None:
        StoredTask.objects.all().delete()


class PolledBackend(ListedBackend):
    """SQSBackend with its consumer: each task has run when enqueue() returns."""

    def send(self, result: TaskResult, store: Callable[[TaskResult], object]) -> None:
        super().send(result, store)
        queue: Queue = self.options["QUEUE"]
        handler = handlers.tasks()
        mapping = queue.mapping(lambda event: handler(event, LambdaContext()))
        while mapping.poll():
            pass
        result.refresh()


class Adapted(TransactionTestCase):
    """Make SQSBackend the default backend."""

    aws: AWS
    backend: type[SQSBackend]
    queues: list[str]

    @pytest.fixture(autouse=True)
    def _aws(self, aws: AWS) -> None:
        type(self).aws = aws

    def setUp(self) -> None:
        tasks = Queue(self.aws, max_receive_count=1)
        urls = dict.fromkeys(("default", "queue_1", "unknown_queue"), tasks.url)
        options = {"URLS": urls, "RESULTS": True, "QUEUE": tasks}
        path = f"{self.backend.__module__}.{self.backend.__qualname__}"
        entry = {"BACKEND": path, "OPTIONS": options, "QUEUES": self.queues}
        override = override_settings(
            INSTALLED_APPS=[*settings.INSTALLED_APPS, "tasks"],
            TASKS={**settings.TASKS, "default": entry},
        )
        override.enable()
        self.addCleanup(override.disable)
        super().setUp()


def without(case: type[TestCase], **reasons: str) -> type[TestCase]:
    """Return the test case without these tests. Each must be one of its own."""
    for name in reasons:
        assert callable(getattr(case, name)), name
    return type(case.__name__, (case,), dict.fromkeys(reasons))


class TestEnqueue(
    without(
        test_dummy_backend.DummyBackendTestCase,
        test_using_correct_backend="compares with the dummy backend's class",
        test_check="the options contain one for these tests",
    ),
    Adapted,
):
    backend = ListedBackend
    queues = []


class TestTask(
    without(
        test_tasks.TaskTestCase,
        test_using_correct_backend="compares with the dummy backend's class",
        test_get_backend="compares with the dummy backend's class",
        test_using_priority="SQS has no priorities",
        test_chained_using="SQS has no priorities",
        test_invalid_priority="SQS has no priorities",
    ),
    Adapted,
):
    backend = ListedBackend
    queues = ["default", "queue_1"]


class TestRun(
    without(
        test_immediate_backend.ImmediateBackendTestCase,
        test_using_correct_backend="compares with the immediate backend's class",
        test_throws_keyboard_interrupt="SQSBackend catches it, to keep the environment",
        test_cannot_get_result="SQSBackend can",
        test_cannot_refresh_result="SQSBackend can",
        test_cannot_pass_run_after="SQSBackend can",
    ),
    Adapted,
):
    backend = PolledBackend
    queues = []
