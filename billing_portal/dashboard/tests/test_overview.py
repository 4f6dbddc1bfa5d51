"""What the Overview says."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from accounts import service_state
from accounts.models import Account, PauseReason
from accounts.tests.factories import make_card
from billing_portal.dashboard.overview import Overview, build_overview
from billing_portal.dashboard.plan_panel import PlanPanel
from billing_portal.dashboard.tests import scenes
from invoices.models import Purpose, Status
from invoices.tests.factories import make_transaction
from plans import opening, spend_caps, usage
from plans.tests.factories import make_record
from wallet import low_balance

pytestmark = pytest.mark.django_db


def overview_of(account: Account, *, may_act: bool = True) -> Overview:
    """Compose the Overview as it is now."""
    account.refresh_from_db()
    return build_overview(account=account, now=timezone.now(), may_act=may_act)


def plan_of(overview: Overview) -> PlanPanel:
    """The card of the plan."""
    assert overview.plan is not None
    return overview.plan


@pytest.mark.parametrize(
    ("balance", "written"),
    [
        ("42.18", "$42.18"),
        ("1234.5", "$1,234.50"),
        ("-3.2", "\N{MINUS SIGN}$3.20"),
        ("-0.004", "\N{MINUS SIGN}$0.004"),
        ("0", "$0.00"),
    ],
)
def test_the_balance_is_written_so_that_a_debt_is_never_zero(balance: str, written: str) -> None:
    assert overview_of(scenes.make_company(balance=balance)).balance.amount == written


def test_a_negative_balance_says_what_resumes_services() -> None:
    account = scenes.make_company(balance="-12.345")
    scenes.start_plan(account, "payg", at=timezone.now())

    banner = overview_of(account).banners[0]

    assert banner.title == "Services are paused."
    assert "\N{MINUS SIGN}\N{WORD JOINER}$12.35" in banner.text
    assert banner.action_href == "/billing/top-up/?amount=12.36"


def test_a_small_debt_asks_for_no_less_than_the_plan_sells() -> None:
    account = scenes.make_company(balance="-0.004")
    scenes.start_plan(account, "payg", at=timezone.now())

    assert overview_of(account).banners[0].action_href == "/billing/top-up/?amount=10.00"


def test_a_lock_by_support_says_whom_to_write_to() -> None:
    account = scenes.make_company(balance="5")
    scenes.start_plan(account, "payg", at=timezone.now())
    service_state.pause(
        account_ids=[account.pk], reason=PauseReason.LOCKED, now=timezone.now(), note="Checks"
    )

    banner = overview_of(account).banners[0]

    assert banner.title == "Services are paused by our support."
    assert banner.action_href == "mailto:billing@badal.example"


def test_nothing_needs_doing_when_nothing_is_wrong() -> None:
    account = scenes.make_company(balance="50")
    make_card(account, is_default=True)
    scenes.start_plan(account, "payg", at=timezone.now())

    assert overview_of(account).banners == ()


def test_a_refill_suspended_by_a_dispute_says_so() -> None:
    account = scenes.make_company(balance="50")
    scenes.start_plan(account, "payg", at=timezone.now())
    make_card(account, is_default=True)
    scenes.switch_refill_on(account, suspended_at=timezone.now())

    [banner] = overview_of(account).banners

    assert banner.title == "Auto-Refill is suspended."
    assert banner.text.startswith("A payment is disputed at your bank.")


def test_a_suspended_refill_says_the_bank_s_reason() -> None:
    account = scenes.make_company(balance="50")
    scenes.start_plan(account, "payg", at=timezone.now())
    make_card(account, is_default=True)
    make_transaction(account, status=Status.FAILED, purpose=Purpose.AUTO_REFILL)
    scenes.switch_refill_on(account, suspended_at=timezone.now(), consecutive_failures=3)

    overview = overview_of(account)

    assert [b.title for b in overview.banners] == ["Auto-Refill is suspended."]
    assert "insufficient funds" in overview.banners[0].text
    assert overview.auto_refill.state == "Suspended"
    assert overview.auto_refill.sentence.startswith("Nothing is charged until")
    assert not overview.auto_refill.is_checked  # switching it on again lifts it


def test_a_viewer_reads_what_is_wrong_without_a_link() -> None:
    account = scenes.make_company(balance="-5")
    scenes.start_plan(account, "payg", at=timezone.now())

    banner = overview_of(account, may_act=False).banners[0]

    assert banner.title == "Services are paused."
    assert banner.action_href == ""


def test_meters_count_what_the_plan_includes_and_what_was_billed_beyond_it() -> None:
    account = scenes.make_company(balance="100")
    now = timezone.now()
    scenes.start_plan(account, "growth", at=now - timedelta(days=3))
    scenes.use(account, "call_minutes", "499", at=now - timedelta(days=2))
    scenes.use(account, "call_minutes", "12", at=now - timedelta(days=1))
    scenes.use(account, "llm_tokens", "412", at=now - timedelta(days=1))

    meters = {meter.label: meter for meter in overview_of(account).meters}

    minutes, tokens = meters["Call minutes"], meters["LLM tokens"]
    assert (minutes.value, minutes.percent, minutes.is_near) == ("500 of 500 minutes", 100, True)
    assert minutes.note == "11 minutes more, from $0.10 per minute."
    assert (tokens.value, tokens.percent, tokens.is_near) == (
        "412,000 of 1,000,000 tokens",
        41,
        False,
    )


def test_spend_is_drawn_by_day_and_feature_with_a_table_behind() -> None:
    account = scenes.make_company(balance="100")
    now = timezone.now()
    scenes.start_plan(account, "payg", at=now - timedelta(days=3))
    scenes.use(account, "call_minutes", "20", at=now - timedelta(days=2))
    scenes.use(account, "call_minutes", "10", at=now - timedelta(days=1))
    scenes.use(account, "tts_retrieval_mb", "100", at=now - timedelta(days=1))

    overview = overview_of(account)

    assert overview.chart is not None
    assert [(s.name, s.total) for s in overview.chart.legend] == [
        ("Call minutes", "$4.50"),
        ("TTS retrieval", "$1.25"),
    ]
    assert [row.total for row in overview.chart.rows] == ["$3.00", "$2.75"]
    assert overview.spend_facts[0].value == "$5.75"


@pytest.mark.parametrize(
    ("balance", "note"),
    [
        ("42.18", "Lasts about 14 days at your last 14 days' pace of $3.00 a day."),
        ("3.10", "Lasts about a day at your last 14 days' pace of $3.00 a day."),
        ("1", "Lasts less than a day at your last 14 days' pace of $3.00 a day."),
        ("0", "Add credit to pay for usage beyond what your plan includes."),
        ("-1", "Usage beyond your credit. The next top-up settles it first."),
    ],
)
def test_the_balance_says_how_long_it_lasts(balance: str, note: str) -> None:
    account = scenes.make_company(balance=str(Decimal(balance) + 12))
    now = timezone.now()
    scenes.start_plan(account, "payg", at=now - timedelta(days=5))
    for days in (4, 3, 2, 1):
        scenes.use(account, "call_minutes", "20", at=now - timedelta(days=days))

    assert overview_of(account).balance.note == note


def test_the_next_charge_is_itemised_with_its_card() -> None:
    account = scenes.make_company(balance="100")
    make_card(account, is_default=True)
    scenes.start_plan(account, "growth", at=timezone.now())

    plan = plan_of(overview_of(account))

    assert plan.title == "Growth plan"
    assert plan.charge is not None
    assert [(line.label, line.value) for line in plan.charge.lines] == [("Growth plan", "$99.00")]
    assert plan.charge.total == "$99.00"
    assert plan.charge.note == "OMR 38.120 at today's rate, from Visa ending 4242."


def test_recent_activity_says_why_a_payment_failed_and_that_a_page_expired() -> None:
    account = scenes.make_company()
    now = timezone.now()
    make_transaction(account, status=Status.FAILED, amount=Decimal(50), created_at=now)
    make_transaction(
        account,
        status=Status.CHECKOUT,
        created_at=now - timedelta(days=2),
        expires_at=now - timedelta(days=1),
        checkout_url="https://checkout.example/over",
    )

    failed, expired = (line.payment for line in overview_of(account).activity)

    assert failed
    assert expired
    assert (failed.status, failed.note) == ("Failed", "Your card has insufficient funds.")
    assert failed.retry_href == "/billing/top-up/?amount=50.00"
    assert (expired.status, expired.note) == ("Checkout", "Expired, nothing was charged")
    assert expired.continue_href == ""


def test_an_allowance_says_how_much_will_be_used_by_the_renewal() -> None:
    account = scenes.make_company(balance="100")
    now = timezone.now()
    scenes.start_plan(account, "growth", at=now - timedelta(days=10))
    scenes.use(account, "call_minutes", "200", at=now - timedelta(days=1))

    account.refresh_from_db()
    overview = build_overview(account=account, now=now, may_act=True)

    renewal = account.renewals.get()
    days = (renewal.period_end - renewal.period_start).days
    minutes = next(meter for meter in overview.meters if meter.label == "Call minutes")
    assert minutes.projection.startswith(f"At this pace {20 * days} of 500 minutes by ")
    assert [m.projection for m in overview.meters if m.label == "LLM tokens"] == [""]


def test_the_balance_lasts_longer_for_what_the_plan_still_includes() -> None:
    account = scenes.make_company(balance="21")
    now = timezone.now()
    scenes.start_plan(account, "growth", at=now - timedelta(days=11))
    scenes.use(account, "call_minutes", "150", at=now - timedelta(days=10))
    scenes.use(account, "call_minutes", "250", at=now - timedelta(days=1))

    account.refresh_from_db()
    note = build_overview(account=account, now=now, may_act=True).balance.note

    # 40 minutes a day: 100 are free for two days and a half, then $4.00 a day for five and more.
    assert note == (
        "Lasts about 7 days at your last 14 days' pace, after what your plan still includes."
    )


def test_a_balance_of_which_nothing_was_used_says_that_it_cannot_tell() -> None:
    account = scenes.make_company(balance="21")
    scenes.start_plan(account, "payg", at=timezone.now())

    note = overview_of(account).balance.note

    assert note == "There is too little usage so far to say how long it lasts."


def test_spend_stands_beside_the_last_period_and_says_where_it_leads() -> None:
    account = scenes.make_company(balance="100")
    now = timezone.now()
    start = now - timedelta(days=41)
    scenes.start_plan(account, "payg", at=start)
    scenes.use(account, "call_minutes", "40", at=start + timedelta(hours=1))
    scenes.use(account, "call_minutes", "60", at=start + timedelta(days=28))
    opening.open_due_periods(now=now, account_ids=[account.pk])
    scenes.use(account, "call_minutes", "20", at=now)

    overview = overview_of(account)

    facts = {fact.label: fact.value for fact in overview.spend_facts}
    assert (facts["Spent so far"], facts["Last period by this day"]) == ("$3.00", "$6.00")
    assert any(label.startswith("At this pace by ") for label in facts)
    assert overview.chart is not None
    assert overview.chart.has_before


def test_only_the_most_urgent_is_seen_at_once() -> None:
    account = scenes.make_company(balance="-3")
    scenes.start_plan(account, "growth", at=timezone.now())
    make_transaction(account, status=Status.FAILED, created_at=timezone.now())

    overview = overview_of(account)

    tones = [banner.tone for banner in overview.banners + overview.folded_banners]
    assert tones == ["bad", "bad", "warn"]
    assert overview.folded_label == "1 more thing needs attention"


def test_a_large_debt_is_topped_up_as_far_as_one_payment_goes() -> None:
    account = scenes.make_company(balance="-1234567.89")
    scenes.start_plan(account, "payg", at=timezone.now())

    assert overview_of(account).banners[0].action_href == "/billing/top-up/?amount=5000.00"


def test_a_balance_below_the_customer_s_limit_is_low_unless_a_refill_is_coming() -> None:
    account = scenes.make_company(balance="8")
    scenes.start_plan(account, "payg", at=timezone.now())
    low_balance.set_limit(account=account, limit=Decimal(10), by=None, now=timezone.now())

    assert [banner.title for banner in overview_of(account).banners] == ["The balance is low."]


def test_the_dearest_workspaces_are_named_and_the_rest_are_one_line() -> None:
    account = scenes.make_company(balance="100")
    now = timezone.now()
    scenes.start_plan(account, "payg", at=now - timedelta(days=3))
    usage.record(
        records=[
            make_record(account, quantity=Decimal(10 * n), workspace=name, occurred_at=now)
            for n, name in enumerate(["Nizwa", "Sur", "Sohar", "Ibri", "Duqm", "Muscat", ""], 1)
        ],
        now=now,
    )

    facts = [(fact.label, fact.value) for fact in overview_of(account).workspaces]

    assert facts == [
        ("No workspace", "$10.50"),
        ("Muscat", "$9.00"),
        ("Duqm", "$7.50"),
        ("Ibri", "$6.00"),
        ("Sohar", "$4.50"),
        ("2 others", "$4.50"),
    ]


def test_beside_the_balance_is_what_moved_it_last_and_what_is_about_to() -> None:
    now = timezone.now()
    account = scenes.make_company(balance="5")
    scenes.start_plan(account, "payg", at=now - timedelta(days=3))
    scenes.top_up(account, "30.00", at=now - timedelta(days=1))
    make_transaction(account, status=Status.PROCESSING, amount="20.00", created_at=now)
    scenes.use(account, "call_minutes", "10", at=now)
    spend_caps.set_cap(account=account, cap=Decimal(40), by=None, now=now)

    facts = {fact.label: fact.value for fact in overview_of(account).balance.facts}

    assert facts == {
        "On its way": "$20.00",
        "Last added": "$30.00",
        "Spent today": "$1.50",
        "Left of the spend cap": "$38.50 of $40.00",
    }
    assert overview_of(scenes.make_company()).balance.facts == ()
