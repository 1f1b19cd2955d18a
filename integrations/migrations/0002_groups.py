"""The groups the console ships with."""

from django.db import migrations

from integrations.groups import create_groups


class Migration(migrations.Migration):
    dependencies = [
        ("integrations", "0001_initial"),
        ("mapping", "0001_initial"),
        ("students", "0001_initial"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [migrations.RunPython(create_groups, migrations.RunPython.noop)]
