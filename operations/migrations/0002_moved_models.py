"""What refers to the models and tasks that moved by their old names: permissions, log, schedule."""

from django.db import migrations

#: The new app of each model that moved, by the old app.
MOVED_MODELS = {
    'core': {
        'infra': ['job'],
        'ingest': [
            'deadletter',
            'idempotencykey',
            'numberauthority',
            'numberingprocess',
            'numberskip',
            'purgehorizon',
        ],
    },
    'chatsystem': {'operations': ['sample', 'scheduledrun']},
    'messages_app': {
        'conversations': [
            'import',
            'importedapplication',
            'importedchat',
            'importshare',
            'rejectedline',
        ],
    },
}

MOVED_TASKS = {
    'core.tasks.reconcile_counts': 'operations.tasks.reconcile_counts',
    'core.tasks.forget_requests': 'operations.tasks.forget_requests',
    'core.tasks.take_over_failed': 'operations.tasks.consume_failed',
    'core.tasks.sweep': 'operations.tasks.sweep',
    'messages_app.tasks.purge_old': 'retention.tasks.purge_old',
}


def move_content_types(apps, schema_editor):
    """Keep each content type with its id, since permissions and the admin's log refer to it."""
    content_types = apps.get_model('contenttypes', 'ContentType').objects
    for old_app, new_apps in MOVED_MODELS.items():
        for new_app, models in new_apps.items():
            old = content_types.filter(app_label=old_app, model__in=models)
            # One of the new app's is there only if an earlier attempt to upgrade was interrupted.
            new = content_types.filter(app_label=new_app, model__in=old.values_list('model', flat=True))
            content_types.filter(pk__in=list(new.values_list('pk', flat=True))).delete()
            old.update(app_label=new_app)


def move_schedule(apps, schema_editor):
    """Keep when each task ran last, or it would count as late."""
    runs = apps.get_model('operations', 'ScheduledRun').objects
    for old, new in MOVED_TASKS.items():
        if runs.filter(task=new).exists():
            runs.filter(task=old).delete()
        else:
            runs.filter(task=old).update(task=new)


class Migration(migrations.Migration):

    dependencies = [
        ('contenttypes', '0002_remove_content_type_name'),
        ('conversations', '0001_initial'),
        ('infra', '0001_initial'),
        ('ingest', '0001_initial'),
        ('operations', '0001_initial'),
    ]

    operations = [
        migrations.RunPython(move_content_types, migrations.RunPython.noop),
        migrations.RunPython(move_schedule, migrations.RunPython.noop),
    ]
