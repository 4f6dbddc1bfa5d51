"""Beat's schedules: a tick a minute for most, as intervals (crontabs skip and double).

Dueness is decided by queries in the services, so the ticks only have to come often enough. Staff
may change or switch them off in the admin: later migrations leave existing rows alone.
"""

from typing import Any

from django.db import migrations

#: Name → task, every, period, and the seconds after which a tick that was not taken is worth
#: nothing: the next one does it all. What runs once a day may be late, not a day late.
TASKS = {
    "Heartbeat": ("billing_portal.heartbeat", 1, "minutes", 60),
    "Renew subscriptions": ("plans.renew_due", 1, "minutes", 60),
    "Refill wallets": ("wallet.refill_due", 1, "minutes", 60),
    "Ask Stripe about open payments": ("invoices.sweep", 1, "minutes", 60),
    "Finish card verifications": ("accounts.finish_verifications", 1, "minutes", 60),
    "Send e-mails": ("accounts.deliver_messages", 10, "seconds", 60),
    "Check the invariants": ("billing_portal.audit", 24, "hours", 60),
    "Finish refunds": ("invoices.sweep_reversals", 1, "minutes", 60),
    "Tell of expiring cards": ("accounts.tell_expiring_cards", 24, "hours", 3600),
    "Compare payments with Stripe": ("billing_portal.reconcile", 24, "hours", 6 * 3600),
    "Forget old delivery attempts": ("accounts.forget_delivery_attempts", 24, "hours", None),
    "Remind of renewals": ("plans.remind_renewals", 10, "minutes", 600),
    "Forget answers of the API": ("accounts.forget_idempotent_requests", 1, "hours", 3600),
    "Add up spend by day": ("plans.add_up_spend", 1, "minutes", 60),
    "Check the invariants of what is new": (
        "billing_portal.audit_since_checkpoint", 1, "hours", 600
    ),
    "Add up all spend by day": ("plans.add_up_all_spend", 1, "hours", 3600),
    "Add up the days of the business": ("billing_portal.business_days", 10, "minutes", 300),
    "Move subscribers to new versions": ("plans.move_subscribers", 1, "minutes", 60),
    "Expire requests for approval": ("wallet.expire_approvals", 10, "minutes", 60),
}  # fmt: skip


def create(apps: Any, schema_editor: Any) -> None:
    intervals = apps.get_model("django_celery_beat", "IntervalSchedule").objects
    tasks = apps.get_model("django_celery_beat", "PeriodicTask").objects
    for name, (task, every, period, expire_seconds) in TASKS.items():
        interval, _ = intervals.get_or_create(every=every, period=period)
        tasks.get_or_create(
            name=name,
            defaults={"task": task, "interval": interval, "expire_seconds": expire_seconds},
        )


def remove(apps: Any, schema_editor: Any) -> None:
    apps.get_model("django_celery_beat", "PeriodicTask").objects.filter(name__in=TASKS).delete()


class Migration(migrations.Migration):
    replaces = [
        ("billing_portal", name)
        for name in (
            "0002_schedules",
            "0003_reversal_schedules",
            "0004_card_schedules",
            "0005_reconciliation_schedule",
            "0006_delivery_log_schedule",
            "0007_reminder_schedule",
            "0008_idempotency_schedule",
            "0009_daily_spend_schedule",
            "0011_workspaces_schedule",
            "0013_business_days_schedule",
            "0014_subscriber_moves_schedule",
        )
    ]
    dependencies = [
        ("billing_portal", "0002_rules"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]
    operations = [migrations.RunPython(create, remove)]
