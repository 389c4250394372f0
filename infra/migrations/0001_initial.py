from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    # The tables were made by another app. A database that has them counts this migration as applied.
    replaces = [
        ('core', '0001_initial'),
    ]

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='Job',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=64, unique=True)),
                ('run', models.PositiveBigIntegerField(default=1)),
                ('held_until', models.DateTimeField(null=True)),
                ('started_at', models.DateTimeField(null=True)),
                ('finished_at', models.DateTimeField(null=True)),
                ('outcome', models.JSONField(default=dict)),
            ],
            options={
                'db_table': 'jobs',
            },
        ),
    ]
