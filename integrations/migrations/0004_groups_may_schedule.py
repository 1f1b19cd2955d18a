"""Who may see and who may keep schedules."""

from django.db import migrations

from integrations.groups import create_groups


class Migration(migrations.Migration):
    dependencies = [("integrations", "0003_scheduled_jobs")]

    operations = [migrations.RunPython(create_groups, migrations.RunPython.noop)]
