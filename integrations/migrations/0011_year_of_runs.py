import re

from django.db import migrations


def tell_years(apps, schema_editor):
    """Give every import that has run the academic year of its day, so that the next one knows a rollover."""
    years = list(apps.get_model("students", "AcademicYear").objects.order_by("starts"))
    runs = apps.get_model("integrations", "SyncRun").objects.filter(kind="import", year=None)
    for year in years:
        runs.filter(started__date__gte=year.starts, started__date__lte=year.ends).update(year=year)


def name_districts_without_year(apps, schema_editor):
    """Illuminate's district was known together with its year; the next year must not look like another district."""
    for one in apps.get_model("integrations", "Integration").objects.filter(system="illuminate"):
        one.tenant_id = re.sub(r"/\d{4}$", "", one.tenant_id)
        one.save(update_fields=["tenant_id"])


class Migration(migrations.Migration):
    dependencies = [
        ("integrations", "0010_academic_year"),
    ]

    operations = [
        migrations.RunPython(tell_years, migrations.RunPython.noop),
        migrations.RunPython(name_districts_without_year, migrations.RunPython.noop),
    ]
