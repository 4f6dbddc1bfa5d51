"""Beat's schedule for the daily sums of what usage cost."""

from typing import Any

from django.db import migrations

NAME, TASK = "Add up spend by day", "plans.add_up_spend"


def create(apps: Any, schema_editor: Any) -> None:
    interval, _ = apps.get_model("django_celery_beat", "IntervalSchedule").objects.get_or_create(
        every=1, period="minutes"
    )
    apps.get_model("django_celery_beat", "PeriodicTask").objects.get_or_create(
        name=NAME, defaults={"task": TASK, "interval": interval, "expire_seconds": 60}
    )


def remove(apps: Any, schema_editor: Any) -> None:
    apps.get_model("django_celery_beat", "PeriodicTask").objects.filter(name=NAME).delete()


class Migration(migrations.Migration):
    dependencies = [("billing_portal", "0008_idempotency_schedule")]
    operations = [migrations.RunPython(create, remove)]
