"""Beat's schedule for what the API has answered and need not answer again."""

from typing import Any

from django.db import migrations

NAME, TASK = "Forget answers of the API", "accounts.forget_idempotent_requests"


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
    dependencies = [("billing_portal", "0007_reminder_schedule")]
    operations = [migrations.RunPython(create, remove)]
