import uuid
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    # The tables were made by another app. A database that has them counts this migration as applied.
    replaces = [
        ('core', '0002_numbering'),
        ('core', '0003_idempotency_keys'),
        ('core', '0004_dead_letters'),
        ('core', '0005_purge'),
        ('core', '0006_names'),
    ]

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='NumberAuthority',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('source', models.CharField(choices=[('redis', 'Redis'), ('database', 'Database')], default='redis', max_length=16)),
                ('epoch', models.PositiveBigIntegerField(default=1)),
                ('trust', models.PositiveBigIntegerField(default=1)),
                ('since', models.DateTimeField()),
                ('reason', models.CharField(max_length=200)),
                ('fence', models.PositiveBigIntegerField(default=0)),
                ('examination', models.PositiveBigIntegerField(default=0)),
                ('is_drained', models.BooleanField(default=True)),
                ('needs_full_count', models.BooleanField(default=False)),
            ],
            options={
                'verbose_name_plural': 'number authority',
                'db_table': 'number_authority',
            },
        ),
        migrations.CreateModel(
            name='NumberingProcess',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, primary_key=True, serialize=False)),
                ('seen_at', models.DateTimeField()),
                ('fence', models.PositiveBigIntegerField(default=0)),
                ('examination', models.PositiveBigIntegerField(default=0)),
                ('reaches_redis_since', models.DateTimeField(null=True)),
            ],
            options={
                'db_table': 'numbering_processes',
            },
        ),
        migrations.CreateModel(
            name='PurgeHorizon',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('before', models.DateTimeField(db_index=True)),
            ],
            options={
                'db_table': 'purge_horizon',
            },
        ),
        migrations.CreateModel(
            name='DeadLetter',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('acceptance', models.UUIDField(unique=True)),
                ('kind', models.CharField(max_length=32)),
                ('queue', models.CharField(db_default='', max_length=64)),
                ('key', models.JSONField()),
                ('parent', models.CharField(db_default='', max_length=64)),
                ('number', models.PositiveBigIntegerField(null=True)),
                ('payload', models.JSONField()),
                ('reason', models.CharField(max_length=200)),
                ('traceback', models.TextField(blank=True)),
                ('set_aside_at', models.DateTimeField()),
            ],
            options={
                'db_table': 'dead_letters',
                'indexes': [models.Index(fields=['parent', 'number'], name='dead_letter_parent_63be4b_idx')],
            },
        ),
        migrations.CreateModel(
            name='IdempotencyKey',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('application_token', models.CharField(max_length=24)),
                ('name', models.UUIDField()),
                ('fingerprint', models.UUIDField()),
                ('first_number', models.PositiveBigIntegerField(null=True)),
                ('token', models.CharField(default='', max_length=24)),
                ('accepted_at', models.DateTimeField(db_index=True)),
            ],
            options={
                'db_table': 'idempotency_keys',
                'constraints': [models.UniqueConstraint(fields=('application_token', 'name'), name='idempotency_keys_natural_key')],
            },
        ),
        migrations.CreateModel(
            name='NumberSkip',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('application_token', models.CharField(max_length=24)),
                ('chat_number', models.PositiveBigIntegerField(null=True)),
                ('skipped_from', models.PositiveBigIntegerField(null=True)),
                ('resumed_at', models.PositiveBigIntegerField()),
                ('recorded_at', models.DateTimeField()),
                ('reason', models.CharField(max_length=200)),
            ],
            options={
                'db_table': 'number_skips',
                'indexes': [models.Index(fields=['application_token', 'chat_number', 'resumed_at'], name='number_skip_applica_07781e_idx')],
            },
        ),
    ]
