"""Beat's schedule for reminders of renewals."""

from typing import Any

from django.db import migrations

NAME, TASK = "Remind of renewals", "plans.remind_renewals"


def create(apps: Any, schema_editor: Any) -> None:
    interval, _ = apps.get_model("django_celery_beat", "IntervalSchedule").objects.get_or_create(
        every=10, period="minutes"
    )
    apps.get_model("django_celery_beat", "PeriodicTask").objects.get_or_create(
        name=NAME, defaults={"task": TASK, "interval": interval, "expire_seconds": 600}
    )


def remove(apps: Any, schema_editor: Any) -> None:
    apps.get_model("django_celery_beat", "PeriodicTask").objects.filter(name=NAME).delete()


class Migration(migrations.Migration):
    dependencies = [("billing_portal", "0006_delivery_log_schedule")]
    operations = [migrations.RunPython(create, remove)]
