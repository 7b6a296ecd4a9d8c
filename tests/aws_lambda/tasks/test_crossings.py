"""How far a message travels through the integration (tests/crossings.py)."""

from typing import Any

import pytest

from apps.aws_lambda import handlers
from apps.aws_lambda.test import LambdaContext
from tests.aws_lambda.tasks import jobs
from tests.aws_lambda.tasks.conftest import Queue
from tests.crossings import count


@pytest.mark.django_db(transaction=True)
def test_a_message_crosses_at_most_14_files(stored: Queue):
    events: list[Any] = []

    def keep(event: Any) -> dict[str, list[Any]]:
        events.append(event)
        return {"batchItemFailures": []}

    for _ in range(2):
        jobs.add.enqueue(1, 2)
    mapping = stored.mapping(keep, batch_size=1)
    while mapping.poll():
        pass
    handler, waiting = handlers.tasks(), iter(events)

    crossings = count(lambda: handler(next(waiting), LambdaContext()))

    assert len(crossings.files) <= 14, crossings
