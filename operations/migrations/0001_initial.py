from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    # The tables were made by another app. A database that has them counts this migration as applied.
    replaces = [
        ('chatsystem', '0001_operations'),
    ]

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='ScheduledRun',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('task', models.CharField(max_length=100, unique=True)),
                ('ran_at', models.DateTimeField()),
            ],
            options={
                'db_table': 'scheduled_runs',
            },
        ),
        migrations.CreateModel(
            name='Sample',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('host', models.CharField(max_length=64)),
                ('instant', models.DateTimeField(db_index=True)),
                ('figures', models.JSONField()),
            ],
            options={
                'db_table': 'samples',
                'constraints': [models.UniqueConstraint(fields=('host', 'instant'), name='one_sample')],
            },
        ),
    ]
