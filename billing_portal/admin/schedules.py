"""Celery beat's schedules: what runs when, in unfold's clothes.

Nothing is deleted: a schedule takes its tasks with it, and a task that a migration made comes back
with none. What is not to run is switched off.
"""

from typing import Any

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django_celery_beat.admin import CrontabScheduleAdmin as BeatCrontabScheduleAdmin
from django_celery_beat.admin import PeriodicTaskAdmin as BeatPeriodicTaskAdmin
from django_celery_beat.admin import PeriodicTaskForm as BeatPeriodicTaskForm
from django_celery_beat.admin import TaskSelectWidget as BeatTaskSelectWidget
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
)
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from accounts.models import AuditEvent
from billing_portal.admin import cells
from billing_portal.admin.base import (
    ActionsNeedChangeMixin,
    PartOfParentInline,
    PortalAdmin,
)

# Nothing here runs by the sun, or once at an hour that somebody chose: those two have no page.
for _model in (ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule):
    admin.site.unregister(_model)


class TaskSelectWidget(UnfoldAdminSelectWidget, BeatTaskSelectWidget):
    """A choice among the tasks the worker knows."""


class PeriodicTaskForm(BeatPeriodicTaskForm):
    """Beat's form in unfold's clothes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "regtask" in self.fields:
            self.fields["task"].widget = UnfoldAdminTextInputWidget()
            self.fields["regtask"].widget = TaskSelectWidget()


class NeverDeletedAdmin(PortalAdmin):
    """Switched off, not deleted."""

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody deletes."""
        return False


@admin.register(PeriodicTask)
class PeriodicTaskAdmin(ActionsNeedChangeMixin, BeatPeriodicTaskAdmin, NeverDeletedAdmin):
    """What runs when."""

    form = PeriodicTaskForm
    change_form_template = None
    date_hierarchy = None
    actions = ("enable_tasks", "disable_tasks", "run_tasks")
    list_display = (
        "name",
        "enabled",
        "scheduler",
        cells.time_column("last_run_at", "Last run"),
        "total_run_count",
    )
    list_filter = ("enabled",)
    fieldsets = (
        (None, {"fields": ("name", ("regtask", "task"), "enabled", "description")}),
        (
            "Schedule",
            {"fields": (("interval", "crontab"), ("start_time", "last_run_at"), "one_off")},
        ),
        ("Arguments", {"fields": ("args", "kwargs"), "classes": ("collapse",)}),
        (
            "Execution",
            {
                "fields": (
                    ("expires", "expire_seconds"),
                    ("queue", "exchange", "routing_key"),
                    "priority",
                    "headers",
                ),
                "classes": ("collapse",),
            },
        ),
    )
    readonly_fields = ("last_run_at",)

    @admin.action(description="Switch on")
    def enable_tasks(self, request: HttpRequest, queryset: QuerySet[PeriodicTask]) -> None:
        """Let them run when they are due."""
        self._note(request, "scheduled_tasks_switched_on", queryset)
        super().enable_tasks(request, queryset)

    @admin.action(description="Switch off")
    def disable_tasks(self, request: HttpRequest, queryset: QuerySet[PeriodicTask]) -> None:
        """Let them run no more."""
        self._note(request, "scheduled_tasks_switched_off", queryset)
        super().disable_tasks(request, queryset)

    @admin.action(description="Run now")
    def run_tasks(self, request: HttpRequest, queryset: QuerySet[PeriodicTask]) -> None:
        """Run them once more than their schedule says."""
        self._note(request, "scheduled_tasks_run", queryset)
        super().run_tasks(request, queryset)

    def _note(self, request: HttpRequest, action: str, tasks: QuerySet[PeriodicTask]) -> None:
        AuditEvent.objects.create(
            actor_id=request.user.pk,
            action=action,
            details={"tasks": sorted(task.name for task in tasks)},
            created_at=timezone.now(),
        )


class TaskInline(PartOfParentInline):
    """The tasks that run on a schedule."""

    model = PeriodicTask
    fields = ("name", "task", "enabled")
    show_change_link = True
    verbose_name_plural = "tasks on this schedule"


@admin.register(IntervalSchedule)
class IntervalScheduleAdmin(NeverDeletedAdmin):
    """Every so often. Nothing else is safe at clock changes."""

    list_display = ("__str__", "every", "period")
    inlines = (TaskInline,)


@admin.register(CrontabSchedule)
class CrontabScheduleAdmin(BeatCrontabScheduleAdmin, NeverDeletedAdmin):
    """At times of the clock."""

    inlines = (TaskInline,)
