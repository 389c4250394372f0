import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    # The tables were made by another app. A database that has them counts this migration as applied.
    replaces = [
        ('messages_app', '0002_imports'),
    ]

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='ImportedApplication',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.CharField(max_length=64, unique=True)),
                ('name', models.CharField(max_length=255)),
                ('application_token', models.CharField(max_length=24)),
            ],
            options={
                'db_table': 'imported_applications',
            },
        ),
        migrations.CreateModel(
            name='ImportedChat',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.CharField(max_length=64, unique=True)),
                ('name', models.CharField(max_length=255)),
                ('application_token', models.CharField(max_length=24)),
                ('chat_number', models.PositiveBigIntegerField()),
            ],
            options={
                'db_table': 'imported_chats',
            },
        ),
        migrations.CreateModel(
            name='Import',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('source', models.TextField()),
                ('source_key', models.CharField(max_length=64)),
                ('first_line', models.CharField(max_length=64)),
                ('lines_done', models.PositiveBigIntegerField(default=0)),
                ('digest', models.CharField(max_length=64)),
                ('created_at', models.DateTimeField()),
                ('updated_at', models.DateTimeField()),
            ],
            options={
                'db_table': 'imports',
                'constraints': [models.UniqueConstraint(fields=('source_key', 'first_line'), name='imports_natural_key')],
            },
        ),
        migrations.CreateModel(
            name='ImportShare',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('application_token', models.CharField(max_length=24)),
                ('name', models.CharField(max_length=255)),
                ('chats', models.PositiveBigIntegerField(default=0)),
                ('messages', models.PositiveBigIntegerField(default=0)),
                ('of', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='shares', to='conversations.import')),
            ],
            options={
                'db_table': 'import_shares',
                'constraints': [models.UniqueConstraint(fields=('of', 'application_token'), name='import_shares_natural_key')],
            },
        ),
        migrations.CreateModel(
            name='RejectedLine',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('line_number', models.PositiveBigIntegerField()),
                ('reason', models.TextField()),
                ('raw', models.BinaryField()),
                ('of', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='rejected_lines', to='conversations.import')),
            ],
            options={
                'db_table': 'import_rejected_lines',
                'constraints': [models.UniqueConstraint(fields=('of', 'line_number'), name='import_rejected_lines_natural_key')],
            },
        ),
    ]
