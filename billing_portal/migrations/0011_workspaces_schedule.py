"""Beat's schedule for what little usage is left to whoever reads the daily sums."""

from typing import Any

from django.db import migrations

NAME, TASK = "Add up all spend by day", "plans.add_up_all_spend"


def create(apps: Any, schema_editor: Any) -> None:
    interval, _ = apps.get_model("django_celery_beat", "IntervalSchedule").objects.get_or_create(
        every=1, period="hours"
    )
    apps.get_model("django_celery_beat", "PeriodicTask").objects.get_or_create(
        name=NAME, defaults={"task": TASK, "interval": interval, "expire_seconds": 3600}
    )


def remove(apps: Any, schema_editor: Any) -> None:
    apps.get_model("django_celery_beat", "PeriodicTask").objects.filter(name=NAME).delete()


class Migration(migrations.Migration):
    dependencies = [("billing_portal", "0010_audit_of_what_is_new")]
    operations = [migrations.RunPython(create, remove)]
