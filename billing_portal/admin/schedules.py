"""Celery beat's schedules, with inputs that can be seen."""

from typing import Any

from django.contrib import admin
from django_celery_beat.admin import (
    ClockedScheduleAdmin as BeatClockedScheduleAdmin,
)
from django_celery_beat.admin import (
    CrontabScheduleAdmin as BeatCrontabScheduleAdmin,
)
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

from billing_portal.admin import cells
from billing_portal.admin.base import (
    ActionsNeedChangeMixin,
    PartOfParentInline,
    PortalAdmin,
)

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


@admin.register(PeriodicTask)
class PeriodicTaskAdmin(ActionsNeedChangeMixin, BeatPeriodicTaskAdmin, PortalAdmin):
    """What runs when."""

    form = PeriodicTaskForm
    change_form_template = None
    date_hierarchy = None
    list_display = (
        "name",
        "enabled",
        "scheduler",
        cells.time_column("last_run_at", "Last run"),
        "total_run_count",
        "one_off",
    )
    list_filter = ("enabled", "one_off")
    fieldsets = (
        (None, {"fields": ("name", ("regtask", "task"), "enabled", "description")}),
        (
            "Schedule",
            {
                "fields": (
                    ("interval", "crontab"),
                    ("solar", "clocked"),
                    "start_time",
                    ("one_off", "last_run_at"),
                )
            },
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


class TaskInline(PartOfParentInline):
    """The tasks that run on a schedule."""

    model = PeriodicTask
    fields = ("name", "task", "enabled")
    show_change_link = True
    verbose_name_plural = "tasks on this schedule"


@admin.register(IntervalSchedule)
class IntervalScheduleAdmin(PortalAdmin):
    """Every so often. Nothing else is safe at clock changes."""

    list_display = ("__str__", "every", "period")
    inlines = (TaskInline,)


@admin.register(CrontabSchedule)
class CrontabScheduleAdmin(BeatCrontabScheduleAdmin, PortalAdmin):
    """At times of the clock."""

    inlines = (TaskInline,)


@admin.register(ClockedSchedule)
class ClockedScheduleAdmin(BeatClockedScheduleAdmin, PortalAdmin):
    """Once."""

    inlines = (TaskInline,)


@admin.register(SolarSchedule)
class SolarScheduleAdmin(PortalAdmin):
    """By the sun."""

    inlines = (TaskInline,)
