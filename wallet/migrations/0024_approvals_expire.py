from django.db import migrations, models
from django.db.models import F, Q


class Migration(migrations.Migration):
    dependencies = [("wallet", "0023_amounts_are_numbers")]

    operations = [
        migrations.AlterField(
            model_name="approvalrequest",
            name="state",
            field=models.CharField(
                choices=[
                    ("requested", "Waiting"),
                    ("approved", "Approved"),
                    ("declined", "Declined"),
                    ("withdrawn", "Withdrawn"),
                    ("executed", "Executed"),
                    ("failed", "Failed"),
                    ("expired", "Expired"),
                ],
                default="requested",
                max_length=16,
            ),
        ),
        migrations.RemoveConstraint(
            model_name="approvalrequest", name="who_decides_is_not_who_asked"
        ),
        migrations.RemoveConstraint(model_name="approvalrequest", name="a_decision_has_a_reason"),
        migrations.RemoveConstraint(
            model_name="approvalrequest", name="what_was_approved_has_its_effect"
        ),
        migrations.AddConstraint(
            model_name="approvalrequest",
            constraint=models.CheckConstraint(
                condition=Q(state="requested", decided_by__isnull=True, decided_at__isnull=True)
                | Q(
                    state="expired",
                    decided_by__isnull=True,
                    decided_at__isnull=False,
                    decided_at__gt=F("expires_at"),
                )
                | Q(state="withdrawn", decided_by=F("requested_by"), decided_at__isnull=False)
                | Q(
                    state__in=["approved", "declined", "executed", "failed"],
                    decided_by__isnull=False,
                    decided_at__isnull=False,
                )
                & ~Q(decided_by=F("requested_by")),
                name="who_decides_is_not_who_asked",
            ),
        ),
        migrations.AddConstraint(
            model_name="approvalrequest",
            constraint=models.CheckConstraint(
                condition=Q(state__in=["requested", "expired"]) | ~Q(decision_reason=""),
                name="a_decision_has_a_reason",
            ),
        ),
        migrations.AddConstraint(
            model_name="approvalrequest",
            constraint=models.CheckConstraint(
                condition=Q(
                    state__in=["requested", "declined", "withdrawn", "expired"],
                    adjustment__isnull=True,
                    refund__isnull=True,
                )
                | Q(state="failed", adjustment__isnull=True)
                | Q(state="approved", adjustment__isnull=True, refund__isnull=False)
                | Q(state="executed", adjustment__isnull=False, refund__isnull=True)
                & ~Q(kind="refund")
                | Q(
                    state="executed",
                    kind="refund",
                    adjustment__isnull=True,
                    refund__isnull=False,
                ),
                name="what_was_approved_has_its_effect",
            ),
        ),
    ]
