from django.db import migrations, models
from django.db.models import F

from ._operations import AddIndexWithoutLock


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("documents", "0005_by_owner")]

    operations = [
        AddIndexWithoutLock(
            "document",
            models.Index(
                F("status"),
                F("uploaded_at").desc(),
                F("id").desc(),
                name="document_status_date",
            ),
        ),
    ]
