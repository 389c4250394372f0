from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("ingest", "0003_shards"),
    ]

    operations = [
        migrations.AddField(
            model_name="deadletter",
            name="application_token",
            field=models.CharField(db_default="", max_length=24),
        ),
    ]
