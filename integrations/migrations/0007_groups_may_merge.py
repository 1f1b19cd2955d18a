"""Who may merge duplicate students."""

from django.db import migrations

from integrations.groups import create_groups


class Migration(migrations.Migration):
    dependencies = [("integrations", "0006_silent_ids"), ("students", "0004_merges")]

    operations = [migrations.RunPython(create_groups, migrations.RunPython.noop)]
