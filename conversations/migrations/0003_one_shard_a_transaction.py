"""Imports record for each application how far its lines are stored.

Processes of the previous release may run meanwhile, but no import: it is a command of the operator.
An import that the previous release began is continued. Its shares have no progress of their own,
and need none: a batch was stored as a whole then.
"""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('conversations', '0002_next_application'),
    ]

    operations = [
        migrations.AddField(
            model_name='import',
            name='lines_begun',
            field=models.PositiveBigIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='import',
            name='begun_digest',
            field=models.CharField(db_default='', default='', max_length=64),
        ),
        migrations.AddField(
            model_name='importshare',
            name='lines_done',
            field=models.PositiveBigIntegerField(db_default=0, default=0),
        ),
        migrations.AlterField(
            model_name='importshare',
            name='of',
            field=models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='shares', to='conversations.import'),
        ),
        migrations.AddField(
            model_name='rejectedline',
            name='application_token',
            field=models.CharField(db_default='', default='', max_length=24),
        ),
        migrations.AlterField(
            model_name='rejectedline',
            name='of',
            field=models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='rejected_lines', to='conversations.import'),
        ),
        migrations.RemoveConstraint(
            model_name='rejectedline',
            name='import_rejected_lines_natural_key',
        ),
        migrations.AddConstraint(
            model_name='rejectedline',
            constraint=models.UniqueConstraint(fields=('of', 'application_token', 'line_number'), name='import_rejected_lines_natural_key'),
        ),
    ]
