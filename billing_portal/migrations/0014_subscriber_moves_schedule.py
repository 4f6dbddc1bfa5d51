"""Beat's schedule for moving subscribers to a new version of their plan."""

from typing import Any

from django.db import migrations

NAME, TASK = "Move subscribers to new versions", "plans.move_subscribers"


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
    dependencies = [
        ("billing_portal", "0013_business_days_schedule"),
        ("plans", "0021_subscriber_moves"),
    ]
    operations = [migrations.RunPython(create, remove)]
