from django.db import migrations, models
from django.db.models import F


def settle(apps, schema_editor):
    """All that was examined before the upgrade is decided."""
    apps.get_model("ingest", "NumberAuthority").objects.update(examined=F("examination"))


class Migration(migrations.Migration):

    dependencies = [
        ("ingest", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="numberauthority",
            name="examined",
            field=models.PositiveBigIntegerField(db_default=0, default=0),
        ),
        migrations.RunPython(settle, migrations.RunPython.noop),
    ]
