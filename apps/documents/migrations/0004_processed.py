from typing import Any

from django.db import migrations

BATCH = 1000


def mark_as_processed(apps: Any, schema_editor: Any) -> None:
    """Give the documents whose checksum is known the status that says so."""
    documents = apps.get_model("documents", "Document").objects.order_by()
    old = documents.filter(status="received").exclude(checksum="")
    while keys := list(old.values_list("pk", flat=True)[:BATCH]):
        documents.filter(pk__in=keys).update(status="processed")


class Migration(migrations.Migration):
    dependencies = [("documents", "0003_inbox")]

    operations = [
        migrations.RunPython(mark_as_processed, migrations.RunPython.noop, elidable=True),
    ]
