from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("search", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="backlogentry",
            name="application_token",
            field=models.CharField(db_default="", max_length=24),
        ),
    ]
