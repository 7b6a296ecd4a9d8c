from typing import Any

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db.migrations import AddIndex


class AddIndexWithoutLock(AddIndexConcurrently):
    """Build an index on PostgreSQL while others write; on SQLite, as Django does."""

    def database_forwards(self, app_label: str, schema_editor: Any, *states: Any) -> None:
        operation: Any = self._operation(schema_editor)
        operation.database_forwards(self, app_label, schema_editor, *states)

    def database_backwards(
        self, app_label: str, schema_editor: Any, *states: Any
    ) -> None:
        operation: Any = self._operation(schema_editor)
        operation.database_backwards(self, app_label, schema_editor, *states)

    @staticmethod
    def _operation(schema_editor: Any) -> type[AddIndex]:
        is_postgresql = schema_editor.connection.vendor == "postgresql"
        return AddIndexConcurrently if is_postgresql else AddIndex
