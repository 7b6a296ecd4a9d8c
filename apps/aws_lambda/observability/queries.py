"""Count database queries."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from django.db import connections


class Queries:
    """The number of queries, and the time that they took."""

    count = 0
    seconds = 0.0

    @property
    def ms(self) -> float:
        return round(self.seconds * 1000, 1)

    def __call__(
        self,
        execute: Callable[..., Any],
        sql: str,
        params: Any,
        many: bool,
        context: Any,
    ) -> Any:
        start = time.perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            self.count += 1
            self.seconds += time.perf_counter() - start


@contextmanager
def counted_queries(queries: Queries | None = None) -> Iterator[Queries]:
    """Count the queries of the block, on all databases, and add them to ``queries``."""
    queries = queries or Queries()
    with ExitStack() as stack:
        for alias in connections:
            stack.enter_context(connections[alias].execute_wrapper(queries))
        yield queries
