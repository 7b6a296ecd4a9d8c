from django.db import migrations, models
from django.db.models import F

from ._operations import AddIndexWithoutLock


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("documents", "0004_processed")]

    operations = [
        AddIndexWithoutLock(
            "document",
            models.Index(
                F("uploaded_by"),
                F("uploaded_at").desc(),
                F("id").desc(),
                name="document_inbox",
            ),
        ),
    ]
