"""The virtual clock: each day its diary, its calls, and the scheduled jobs."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random

from django.core.exceptions import ValidationError

from accounts import card_sweeps, outbox
from billing_portal import audit, business_days
from billing_portal.demo_months.bank import Bank
from billing_portal.demo_months.company import Company, Diary
from billing_portal.demo_months.scenario import demo_companies
from invoices import sweeper
from plans import authorization, daily_spend, renewals, usage
from plans.usage import ResultStatus
from wallet import refills

#: The moments of a day (hours, UTC) at which the platform reports and the jobs run.
_REPORTS = (9, 15)


@dataclass(slots=True)
class Report:
    """What a simulation did."""

    days: int = 0
    recorded: int = 0
    refills: int = 0
    renewals: int = 0


def run(
    *,
    bank: Bank,
    start: datetime,
    end: datetime,
    seed: int,
    progress: Callable[[int, int], None] = lambda day, days: None,
) -> Report:
    """Live through the days from `start` to `end`; the sandbox follows the clock."""
    companies = demo_companies(bank=bank, random=Random(seed))  # noqa: S311 - a scenario
    report = Report()
    midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
    days = (end - midnight).days + 1
    bank.pause_webhooks(paused=True)
    try:
        for number in range(days):
            _live_a_day(companies, number, midnight + timedelta(days=number), end, bank, report)
            progress(number + 1, days)
    finally:
        bank.set_clock(None)
        bank.pause_webhooks(paused=False)
    _take_stock(end)
    return report


def _live_a_day(
    companies: list[tuple[Company, Diary]],
    number: int,
    midnight: datetime,
    end: datetime,
    bank: Bank,
    report: Report,
) -> None:
    morning = midnight + timedelta(hours=5, minutes=30)
    if morning < end:
        bank.set_clock(morning)
        for _, diary in companies:
            for act in diary.get(number, ()):
                act(morning)
        _run_jobs(morning + timedelta(minutes=2), report)
    before = midnight
    # Business grows by about a percent every three days.
    growth = Decimal("0.8") + Decimal(number) / 400
    for hour in _REPORTS:
        now = min(midnight + timedelta(hours=hour), end)
        if now <= before:
            break
        bank.set_clock(now)
        for company, _ in companies:
            _report_usage(company, before, now, growth, report)
        _run_jobs(now, report)
        before = now
    report.days += 1


def _take_stock(now: datetime) -> None:
    """Sum up what the pages show by day, of usage and of the business, and audit the books."""
    daily_spend.add_up_due(left=0)
    while business_days.bring_up_to_date(now=now) > 1:
        pass  # the newest day is always brought up to date: alone, it is the last
    audit.note(violations=audit.run(now=now), now=now, since=None)


def _report_usage(
    company: Company, start: datetime, end: datetime, growth: Decimal, report: Report
) -> None:
    """Report the calls of a few hours, if the platform was allowed to begin them."""
    if not hasattr(company, "account"):
        return
    allowed = authorization.check(account=str(company.account.pk), feature=None, now=start).allowed
    if not allowed:
        return
    records = company.usage_between(start, end, growth=growth)
    if not records:
        return
    results = usage.record(records=records, now=end)
    for result in results:
        if result.status != ResultStatus.RECORDED:
            raise ValidationError(f"{result.id} was {result.status}: {result.detail}")
    report.recorded += len(results)


def _run_jobs(now: datetime, report: Report) -> None:
    """What beat does every minute."""
    sweeper.sweep(now=now + timedelta(minutes=2))
    card_sweeps.finish_verifications(now=now)
    report.refills += refills.refill_due(now=now)
    report.renewals += renewals.renew_due(now=now).paid
    while outbox.deliver_due(now=now):
        pass
