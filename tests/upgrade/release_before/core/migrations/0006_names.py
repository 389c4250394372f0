from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('core', '0005_purge'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='numberauthority',
            options={'verbose_name_plural': 'number authority'},
        ),
    ]
