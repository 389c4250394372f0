from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("ingest", "0002_examined"),
    ]

    operations = [
        migrations.AddField(
            model_name="numberingprocess",
            name="further",
            field=models.CharField(db_default="", default="", max_length=8192),
        ),
    ]
