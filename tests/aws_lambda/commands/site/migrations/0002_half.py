from django.db import migrations


def fail(apps, schema_editor):
    raise LookupError("in the middle of a migration")


class Migration(migrations.Migration):
    dependencies = [("site", "0001_table")]
    operations = [
        migrations.RunSQL("CREATE TABLE half (id int)", "DROP TABLE half"),
        migrations.RunPython(fail),
    ]
