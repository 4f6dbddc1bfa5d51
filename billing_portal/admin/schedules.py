"""Celery beat's schedules: what runs when. Read, and changed by actions that ask why.

The jobs are the portal's own and come with its migrations: none is added or deleted here. An
interval is shared by many jobs, so it is not edited either: a job is given another one.
"""

from typing import Any, cast

from django import forms
from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
)
from unfold.decorators import action
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminSelectWidget

from accounts.models import AuditEvent, User
from billing_portal import scheduled_jobs
from billing_portal.admin import cells
from billing_portal.admin.base import PartOfParentInline, ReadOnlyAdmin
from billing_portal.admin.confirmed import Confirmation, ReasonForm, confirm

# Nothing here runs by the sun, or once at an hour that somebody chose: those two have no page.
for _model in (ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule):
    admin.site.unregister(_model)

#: How many jobs a confirmation names.
_NAMED = 10


class IntervalForm(ReasonForm):
    """Every how many of what, and why."""

    every = forms.IntegerField(
        min_value=1, max_value=scheduled_jobs.LONGEST_SECONDS, widget=UnfoldAdminIntegerFieldWidget
    )
    period = forms.ChoiceField(
        label="Unit",
        choices=[(period, period) for period in scheduled_jobs.PERIODS],
        widget=UnfoldAdminSelectWidget,
    )

    field_order = ("every", "period", "reason")


def _on_or_off(is_on: bool) -> cells.Cell:
    return cells.badge("On", "success") if is_on else cells.badge("Off", "danger")


@admin.register(PeriodicTask)
class PeriodicTaskAdmin(ReadOnlyAdmin):
    """What runs when."""

    actions = ("switch_on_selected", "switch_off_selected", "run_selected")
    actions_detail = ("switch_on", "switch_off", "run", "change_interval")
    list_display = (
        "name",
        cells.column("enabled", "State", _on_or_off),
        cells.column("scheduler", "Runs", str),
        cells.time_column("last_run_at", "Last run"),
        cells.column("total_run_count", "Runs so far", "{:,}".format),
    )
    list_select_related = ("interval", "crontab")
    list_filter = ("enabled",)
    ordering = ("name",)
    search_fields = ("name", "task")
    search_help_text = "Name or task"
    # Not the fields themselves: the library's help is for who writes a row, which nobody does.
    fieldsets = (
        (
            None,
            {
                "fields": (
                    (
                        cells.column("name", "Name", str),
                        cells.column("enabled", "State", _on_or_off),
                    ),
                    (cells.column("task", "Task", str), cells.column("scheduler", "Runs", str)),
                    (
                        cells.time_column("last_run_at", "Last run"),
                        cells.column("total_run_count", "Runs so far", "{:,}".format),
                    ),
                    (
                        cells.column("expire_seconds", "Worth nothing after", "{:,} s".format),
                        cells.time_column("date_changed", "Row changed"),
                    ),
                )
            },
        ),
    )

    def has_work_permission(self, request: HttpRequest, object_id: object = None) -> bool:
        """Whoever may change what runs; nobody edits a job's row."""
        return cast(User, request.user).has_perm("django_celery_beat.change_periodictask")

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[Any]:
        """Offer to switch it to what it is not."""
        job = self.get_object(request, object_id)
        hidden = "switch_on" if job is not None and job.enabled else "switch_off"
        offered = super().get_actions_detail(request, object_id)
        return [one for one in offered if not one.action_name.endswith(f"_{hidden}")]

    @action(description="Switch on", url_path="switch-on", permissions=["work"], icon="play_arrow")
    def switch_on(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Let it run when it is due."""
        return self._switch(request, [self._job(request, object_id)], on=True)

    @action(
        description="Switch off",
        url_path="switch-off",
        permissions=["work"],
        icon="pause",
        variant=ActionVariant.DANGER,
    )
    def switch_off(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Let it run no more."""
        return self._switch(request, [self._job(request, object_id)], on=False)

    @action(description="Run now", url_path="run", permissions=["work"], icon="bolt")
    def run(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Run it once more than its schedule says."""
        return self._run(request, [self._job(request, object_id)])

    @action(description="Change interval", url_path="interval", permissions=["work"], icon="timer")
    def change_interval(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask how often, and why."""
        job = self._job(request, object_id)
        confirmation = Confirmation(
            title="Change interval",
            effect=f"{job.name} runs {job.scheduler} now. Beat keeps to the new interval within "
            "seconds; other jobs keep theirs.",
            act=lambda by, wish: _change_interval(job, by, wish),
            form_class=IntervalForm,
            proposed={"every": job.interval.every, "period": job.interval.period}
            if job.interval
            else {"period": "hours"},
            seen=str(job.scheduler),
        )
        return confirm(request, confirmation, site=self.admin_site, target=job)

    @admin.action(description="Switch on", permissions=["work"])
    def switch_on_selected(
        self, request: HttpRequest, queryset: QuerySet[PeriodicTask]
    ) -> HttpResponse:
        """Let those that are marked run when they are due."""
        return self._switch(request, list(queryset), on=True, above_list="switch_on_selected")

    @admin.action(description="Switch off", permissions=["work"])
    def switch_off_selected(
        self, request: HttpRequest, queryset: QuerySet[PeriodicTask]
    ) -> HttpResponse:
        """Let those that are marked run no more."""
        return self._switch(request, list(queryset), on=False, above_list="switch_off_selected")

    @admin.action(description="Run now", permissions=["work"])
    def run_selected(self, request: HttpRequest, queryset: QuerySet[PeriodicTask]) -> HttpResponse:
        """Run those that are marked once more than their schedule says."""
        return self._run(request, list(queryset), above_list="run_selected")

    def _job(self, request: HttpRequest, object_id: str) -> PeriodicTask:
        job: PeriodicTask | None = self.get_object(request, object_id)
        if job is None:
            raise Http404("No such job.")
        return job

    def _switch(
        self, request: HttpRequest, jobs: list[PeriodicTask], *, on: bool, above_list: str = ""
    ) -> HttpResponse:
        effect = (
            f"{_names(jobs)}: from now on when due."
            if on
            else f"{_names(jobs)}: until somebody switches it on again, nothing of this is done. "
            "What waits for it, such as payments, renewals or e-mails, goes on waiting."
        )
        return self._confirm(
            request,
            Confirmation(
                title="Switch on" if on else "Switch off",
                effect=effect,
                act=lambda by, wish: _switch(jobs, on, by, wish["reason"]),
                seen=",".join(f"{job.pk}:{job.enabled}" for job in jobs),
                danger=not on,
                posted_along=_marked(jobs, above_list),
            ),
            jobs,
            above_list,
        )

    def _run(
        self, request: HttpRequest, jobs: list[PeriodicTask], *, above_list: str = ""
    ) -> HttpResponse:
        runs = AuditEvent.objects.filter(action="scheduled_tasks_run").order_by("-pk")
        return self._confirm(
            request,
            Confirmation(
                title="Run now",
                effect=f"{_names(jobs)}: once more than the schedule says, as soon as a worker is "
                "free. What is not due is left alone.",
                act=lambda by, wish: _run(jobs, by, wish["reason"]),
                seen=str(runs.values_list("pk", flat=True).first()),
                posted_along=_marked(jobs, above_list),
            ),
            jobs,
            above_list,
        )

    def _confirm(
        self,
        request: HttpRequest,
        confirmation: Confirmation,
        jobs: list[PeriodicTask],
        above_list: str,
    ) -> HttpResponse:
        return confirm(
            request,
            confirmation,
            site=self.admin_site,
            target=PeriodicTask if above_list else jobs[0],
            back_url=cells.list_url(PeriodicTask) if above_list else "",
            is_answer="answers" in request.POST if above_list else None,
        )


def _marked(jobs: list[PeriodicTask], above_list: str) -> list[tuple[str, str]]:
    """What the list posts again with the answer."""
    if not above_list:
        return []
    chosen = [(ACTION_CHECKBOX_NAME, str(job.pk)) for job in jobs]
    return [("action", above_list), ("answers", "1"), *chosen]


def _names(jobs: list[PeriodicTask]) -> str:
    """The first of them by name, with their times, and how many others."""
    named = ", ".join(f"{job.name} ({job.scheduler})" for job in jobs[:_NAMED])
    return named + (f" and {len(jobs) - _NAMED} more" if len(jobs) > _NAMED else "")


def _switch(jobs: list[PeriodicTask], on: bool, by: User, reason: str) -> str:
    """Switch them; return what to say."""
    switched = scheduled_jobs.switch(jobs=jobs, on=on, by=by, reason=reason, now=timezone.now())
    return f"Switched {'on' if on else 'off'}: {', '.join(job.name for job in switched)}."


def _run(jobs: list[PeriodicTask], by: User, reason: str) -> str:
    """Queue them; return what to say."""
    count = scheduled_jobs.run_now(jobs=jobs, by=by, reason=reason, now=timezone.now())
    return f"Queued: {count}. The heartbeats and the log say what came of it."


def _change_interval(job: PeriodicTask, by: User, wish: dict[str, Any]) -> str:
    """Give it its interval; return what to say."""
    changed = scheduled_jobs.change_interval(
        job=job,
        every=wish["every"],
        period=wish["period"],
        by=by,
        reason=wish["reason"],
        now=timezone.now(),
    )
    return f"{changed.name} runs {changed.interval}."


class TaskInline(PartOfParentInline):
    """The jobs that run on a schedule."""

    model = PeriodicTask
    fields = ("name", "task", "enabled")
    show_change_link = True
    verbose_name_plural = "jobs on this schedule"


@admin.register(IntervalSchedule)
class IntervalScheduleAdmin(ReadOnlyAdmin):
    """Every so often. Nothing else is safe at clock changes."""

    list_display = ("__str__", "every", "period")
    inlines = (TaskInline,)


@admin.register(CrontabSchedule)
class CrontabScheduleAdmin(ReadOnlyAdmin):
    """At times of the clock."""

    list_display = ("__str__", "hour", "minute", "timezone")
    inlines = (TaskInline,)
