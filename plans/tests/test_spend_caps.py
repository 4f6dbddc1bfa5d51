"""The monthly spend cap: warned at 80 %, paused at 100 %, once for a period and a cap."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError

from accounts.models import Account, AuditEvent, Message, User
from accounts.tests.factories import NOW
from billing_portal import audit
from plans import authorization, opening, spend_caps, subscriptions, usage
from plans.models import Subscription
from plans.spend_caps import Spend
from plans.tests.factories import make_customer, make_record, make_version
from wallet import ledger
from wallet.models import EntryKind, Wallet

pytestmark = pytest.mark.django_db

#: A period of make_customer begins at NOW; this is within it, and a month later is the next one.
LATER = NOW + timedelta(days=3)
NEXT_PERIOD = NOW + timedelta(days=40)


@pytest.fixture
def account() -> Account:
    """An account with $500 whose minutes cost $0.10 each, none of them included."""
    return make_customer(balance="500", version=make_version(included="0"))


def use(account: Account, *minutes: int | str, at: datetime = LATER) -> None:
    """Report calls of so many minutes, in one batch."""
    records = [make_record(account, each, occurred_at=at) for each in minutes]
    results = usage.record(records=records, now=at)
    assert {result.status for result in results} == {"recorded"}


def set_cap(account: Account, cap: str | None, *, at: datetime = LATER) -> None:
    amount = None if cap is None else Decimal(cap)
    spend_caps.set_cap(account=account, cap=amount, by=None, now=at)


def spend(account: Account) -> Spend:
    return spend_caps.spend_of(
        account=account,
        wallet=Wallet.objects.get(account=account),
        subscription=subscriptions.current(account=account),
        now=LATER,
    )


def reasons(account: Account) -> list[str]:
    return Account.objects.get(pk=account.pk).pause_reasons


def told(account: Account) -> list[str]:
    """What the customer and the platform were told of, in order; the cap and pauses only."""
    events = Message.objects.filter(account=account).order_by("pk").values_list("event", flat=True)
    return [event for event in events if "cap" in event or "services" in event]


def holds() -> None:
    assert audit.run(now=LATER) == []


def test_usage_is_warned_of_at_80_percent_and_pauses_services_at_100(account: Account) -> None:
    set_cap(account, "10")
    use(account, 79, "0.9")
    assert told(account) == []

    use(account, "0.05", "0.05")  # $8.00 of $10.00

    assert told(account) == ["spend_cap_near", "spend_cap.near"]
    near = Message.objects.get(account=account, event="spend_cap_near")
    assert (near.payload["spent"], near.payload["cap"]) == ("$8.00", "$10.00")
    platform = Message.objects.get(account=account, event="spend_cap.near")
    assert platform.payload == {"spent": "8.000000", "cap": "10.00"}
    assert reasons(account) == []

    use(account, 10, 5)  # $9.50: no more is said
    use(account, 4, 4)  # $10.30: the call was under way

    assert reasons(account) == ["spend_cap"]
    assert told(account)[2:] == ["services.paused", "spend_cap_reached"]
    reached = Message.objects.get(account=account, event="spend_cap_reached")
    assert (reached.payload["spent"], reached.payload["cap"]) == ("$10.30", "$10.00")
    assert reached.payload["path"] == "/billing/settings/#spend-cap"
    paused = Message.objects.get(account=account, event="services.paused")
    assert paused.payload == {"reasons": ["spend_cap"]}

    use(account, 7, 7)  # what ends now is charged, and nothing is told again

    assert len(told(account)) == 4
    assert spend(account).spent == Decimal("11.70")
    holds()


@pytest.mark.parametrize("together", [1, 2])
def test_a_single_record_warns_and_pauses_as_a_batch_does(account: Account, together: int) -> None:
    set_cap(account, "10")
    calls: list[int] = [39, 39, 2, 2, 15, 15]

    for first in range(0, len(calls), together):
        use(account, *calls[first : first + together])

    assert told(account) == [
        *("spend_cap_near", "spend_cap.near"),
        *("services.paused", "spend_cap_reached"),
    ]
    assert reasons(account) == ["spend_cap"]
    assert spend(account).spent == Decimal("11.20")


def test_a_batch_that_goes_over_both_pauses_and_does_not_warn(account: Account) -> None:
    set_cap(account, "10")
    use(account, *[10] * 12)
    assert told(account) == ["services.paused", "spend_cap_reached"]


def test_no_call_may_start_beyond_the_cap_and_every_call_below_it(account: Account) -> None:
    set_cap(account, "10")
    use(account, 99, "0.9")
    assert authorization.check(account=str(account.pk), feature=None, now=LATER).allowed

    use(account, "0.05", "0.05")

    answer = authorization.check(account=str(account.pk), feature="call_minutes", now=LATER)
    assert (answer.allowed, answer.services, answer.reasons) == (False, "paused", ["spend_cap"])


def test_what_is_included_is_not_spent() -> None:
    account = make_customer(balance="5", version=make_version(included="100"))
    set_cap(account, "1")
    use(account, 50, 50)
    assert spend(account).spent == 0
    use(account, 5, 5)
    assert reasons(account) == ["spend_cap"]


def test_what_was_spent_before_the_cap_was_set_counts(account: Account) -> None:
    use(account, 30, 20)
    set_cap(account, "10")
    assert spend(account) == Spend(
        spent=Decimal(5), cap=Decimal(10), period_end=subscription_of(account).current_period_end
    )
    use(account, 25, 25)
    assert reasons(account) == ["spend_cap"]
    holds()


def subscription_of(account: Account) -> Subscription:
    subscription = subscriptions.current(account=account)
    assert subscription is not None
    return subscription


def test_a_cap_below_what_was_spent_pauses_at_once(account: Account) -> None:
    use(account, 60, 60)
    set_cap(account, "10")
    assert reasons(account) == ["spend_cap"]
    assert told(account) == ["services.paused", "spend_cap_reached"]
    holds()


def test_a_cap_that_is_nearly_spent_is_warned_of_at_once(account: Account) -> None:
    use(account, 45, 45)
    set_cap(account, "10")
    assert told(account) == ["spend_cap_near", "spend_cap.near"]


def test_raising_the_cap_resumes_services_and_warns_anew(account: Account) -> None:
    set_cap(account, "10")
    use(account, 60, 60)

    set_cap(account, "20")

    assert reasons(account) == []
    assert told(account)[-2:] == ["services_resumed", "services.resumed"]
    use(account, 20, 20)  # $16.00 is 80 % of the new cap
    assert told(account)[-2:] == ["spend_cap_near", "spend_cap.near"]
    use(account, 20, 20)
    assert reasons(account) == ["spend_cap"]
    assert AuditEvent.objects.filter(account=account, action="services_paused").count() == 2
    holds()


def test_a_cap_raised_to_what_is_spent_already_resumes_nothing(account: Account) -> None:
    set_cap(account, "10")
    use(account, 60, 60)
    set_cap(account, "12")
    assert reasons(account) == ["spend_cap"]


def test_removing_the_cap_resumes_services(account: Account) -> None:
    set_cap(account, "10")
    use(account, 60, 60)
    set_cap(account, None)
    assert reasons(account) == []
    use(account, 500, 500)
    assert reasons(account) == []
    assert spend(account).spent == 112
    holds()


def test_the_same_cap_is_told_once_in_a_period_however_often_it_is_set(account: Account) -> None:
    use(account, 45, 45)
    for _ in range(3):
        set_cap(account, "10")
        set_cap(account, None)
    assert told(account) == ["spend_cap_near", "spend_cap.near"]


def test_the_next_period_resumes_services_and_counts_from_nothing(account: Account) -> None:
    set_cap(account, "10")
    use(account, 60, 60)

    # Nobody uses anything: the tick that opens periods resumes services.
    assert opening.open_page(now=NEXT_PERIOD).periods == 1

    assert reasons(account) == []
    assert told(account)[-2:] == ["services_resumed", "services.resumed"]
    assert spend(account).spent == 0
    use(account, 60, 60, at=NEXT_PERIOD)
    assert reasons(account) == ["spend_cap"]
    assert told(account)[-2:] == ["services.paused", "spend_cap_reached"]
    holds()


def test_usage_that_opens_the_next_period_counts_in_it(account: Account) -> None:
    set_cap(account, "10")
    use(account, 45, 45)
    use(account, 45, 45, at=NEXT_PERIOD)
    assert spend(account).spent == 9
    assert told(account).count("spend_cap_near") == 2
    holds()


def test_periods_that_were_missed_are_opened_with_one_count(account: Account) -> None:
    set_cap(account, "10")
    use(account, 60, 60)
    opening.open_due_periods(now=NOW + timedelta(days=100), account_ids=[account.pk])
    assert (reasons(account), spend(account).spent) == ([], 0)


def test_a_late_record_counts_in_the_period_in_which_it_is_deducted(account: Account) -> None:
    set_cap(account, "10")
    use(account, 45, 45)
    opening.open_due_periods(now=NEXT_PERIOD, account_ids=[account.pk])
    late = [make_record(account, 60, occurred_at=NOW + timedelta(days=20)) for _ in range(2)]

    usage.record(records=late, now=NEXT_PERIOD)

    assert spend(account).spent == 12
    assert reasons(account) == ["spend_cap"]
    holds()


def test_a_cap_set_after_a_late_record_counts_it_too(account: Account) -> None:
    opening.open_due_periods(now=NEXT_PERIOD, account_ids=[account.pk])
    late = [make_record(account, 60, occurred_at=NOW + timedelta(days=20)) for _ in range(2)]
    usage.record(records=late, now=NEXT_PERIOD)
    set_cap(account, "20", at=NEXT_PERIOD)
    assert spend(account).spent == 12
    holds()


def test_credit_that_comes_and_goes_is_not_spent(account: Account) -> None:
    """The trigger what_is_not_usage_is_not_spent counts it out."""
    set_cap(account, "10")
    use(account, 20, 20)
    for kind, amount in (
        (EntryKind.ADJUSTMENT, "100"),
        (EntryKind.ADJUSTMENT, "-30"),
    ):
        post(account, kind, amount)
    assert spend(account).spent == 4
    use(account, 60)
    use(account, 10, 10)
    assert spend(account).spent == 12
    holds()


def post(account: Account, kind: EntryKind, amount: str) -> None:
    ledger.post(
        account_id=account.pk,
        kind=kind,
        amount=Decimal(amount),
        description="By hand",
        now=LATER,
    )


def test_a_negative_balance_and_the_cap_pause_each_for_itself(account: Account) -> None:
    post(account, EntryKind.ADJUSTMENT, "-495")
    set_cap(account, "10")
    use(account, 60, 60)
    assert sorted(reasons(account)) == ["negative_balance", "spend_cap"]

    post(account, EntryKind.ADJUSTMENT, "100")
    assert reasons(account) == ["spend_cap"]

    set_cap(account, None)
    assert reasons(account) == []
    holds()


def test_without_a_subscription_a_cap_counts_from_when_it_is_set() -> None:
    account = make_customer(balance="5", version=make_version(included="0"))
    Subscription.objects.filter(account=account).update(status="canceled", ended_at=LATER)
    set_cap(account, "10")
    assert spend(account) == Spend(spent=Decimal(0), cap=Decimal(10), period_end=None)


def test_a_new_subscription_begins_a_period(account: Account) -> None:
    set_cap(account, "10")
    use(account, 60, 60)
    Subscription.objects.filter(account=account).update(status="canceled", ended_at=LATER)
    subscriptions.start_free(account=account, plan_version=make_version(), now=LATER)
    assert (reasons(account), spend(account).spent) == ([], 0)


def test_who_set_the_cap_is_kept(account: Account) -> None:
    owner = User.objects.create_user(email="owner@trading.test", password="x" * 12)
    spend_caps.set_cap(account=account, cap=Decimal(10), by=owner, now=LATER)
    spend_caps.set_cap(account=account, cap=Decimal("12.50"), by=owner, now=LATER)
    event = AuditEvent.objects.filter(account=account, action="spend_cap_set").latest("pk")
    assert event.actor == owner
    assert event.details == {"before": "10.00", "cap": "12.50"}


@pytest.mark.parametrize("cap", ["0", "-1", "0.001", "NaN", "Infinity", "1000000.01"])
def test_what_is_no_cap_is_refused_and_changes_nothing(account: Account, cap: str) -> None:
    set_cap(account, "10")
    with pytest.raises(ValidationError):
        set_cap(account, cap)
    assert Wallet.objects.get(account=account).spend_cap == 10


def test_accounts_without_a_cap_are_not_counted(account: Account) -> None:
    use(account, 60, 60)
    wallet = Wallet.objects.get(account=account)
    assert (wallet.spend_cap, wallet.unspent_balance, wallet.spend_since) == (None, None, None)
