"""Beat's schedule for requests for approval that nobody decided on."""

from typing import Any

from django.db import migrations

NAME, TASK = "Expire requests for approval", "wallet.expire_approvals"


def create(apps: Any, schema_editor: Any) -> None:
    interval, _ = apps.get_model("django_celery_beat", "IntervalSchedule").objects.get_or_create(
        every=10, period="minutes"
    )
    apps.get_model("django_celery_beat", "PeriodicTask").objects.get_or_create(
        name=NAME, defaults={"task": TASK, "interval": interval, "expire_seconds": 60}
    )


def remove(apps: Any, schema_editor: Any) -> None:
    apps.get_model("django_celery_beat", "PeriodicTask").objects.filter(name=NAME).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("billing_portal", "0016_amounts_are_numbers"),
        ("wallet", "0024_approvals_expire"),
    ]
    operations = [migrations.RunPython(create, remove)]
