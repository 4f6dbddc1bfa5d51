"""Services are paused exactly while a reason holds, and each change is told once (I13)."""

import pytest
from django.db import IntegrityError, transaction

from accounts import service_state
from accounts.models import Account, AuditEvent, Message, PauseReason, User
from accounts.tests.factories import NOW, make_account

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice() -> Account:
    return make_account(name="Alice Trading")


def told(account: Account) -> list[tuple[str, str]]:
    """Return what was told of the account, oldest first."""
    messages = Message.objects.filter(account=account).order_by("pk")
    return [(message.channel, message.event) for message in messages]


PAUSED_TOLD = [("email", "services_paused"), ("platform", "services.paused")]
RESUMED_TOLD = [("email", "services_resumed"), ("platform", "services.resumed")]


def test_a_reason_pauses_and_is_told_once_however_often_it_is_given(alice: Account) -> None:
    for _ in range(3):
        service_state.pause(account_ids=[alice.pk], reason=PauseReason.NEGATIVE_BALANCE, now=NOW)
    alice.refresh_from_db()
    assert alice.services == "paused"
    assert alice.pause_reasons == ["negative_balance"]
    assert told(alice) == PAUSED_TOLD


def test_a_second_reason_is_recorded_but_not_told_again(alice: Account) -> None:
    service_state.pause(account_ids=[alice.pk], reason=PauseReason.NEGATIVE_BALANCE, now=NOW)
    stopped = service_state.pause(account_ids=[alice.pk], reason=PauseReason.LOCKED, now=NOW)
    assert stopped == []
    assert told(alice) == PAUSED_TOLD
    actions = (
        AuditEvent.objects.filter(account=alice).order_by("pk").values_list("action", flat=True)
    )
    assert list(actions) == ["services_paused", "services_paused_reason"]


def test_services_resume_only_when_the_last_reason_is_gone(alice: Account) -> None:
    for reason in (PauseReason.NEGATIVE_BALANCE, PauseReason.SUBSCRIPTION_UNPAID):
        service_state.pause(account_ids=[alice.pk], reason=reason, now=NOW)
    first = service_state.lift(
        account_ids=[alice.pk], reason=PauseReason.SUBSCRIPTION_UNPAID, now=NOW
    )
    alice.refresh_from_db()
    assert (first, alice.services) == ([], "paused")
    second = service_state.lift(
        account_ids=[alice.pk], reason=PauseReason.NEGATIVE_BALANCE, now=NOW
    )
    alice.refresh_from_db()
    assert (second, alice.services) == ([alice.pk], "active")
    assert told(alice) == PAUSED_TOLD + RESUMED_TOLD


def test_lifting_a_reason_that_does_not_hold_changes_nothing(alice: Account) -> None:
    assert service_state.lift(account_ids=[alice.pk], reason=PauseReason.LOCKED, now=NOW) == []
    assert told(alice) == []
    assert not AuditEvent.objects.filter(account=alice).exists()


def test_a_lock_says_who_did_it_and_why(alice: Account) -> None:
    support = User.objects.create_user("support@badal.test")
    service_state.pause(
        account_ids=[alice.pk], reason=PauseReason.LOCKED, now=NOW, by=support, note="Fraud check"
    )
    event = AuditEvent.objects.get(account=alice)
    assert (event.actor, event.reason) == (support, "Fraud check")


def test_many_accounts_are_paused_in_one_go_and_only_those_named(alice: Account) -> None:
    bob, carol = make_account(), make_account()
    stopped = service_state.pause(
        account_ids=[alice.pk, bob.pk], reason=PauseReason.NEGATIVE_BALANCE, now=NOW
    )
    assert sorted(stopped) == sorted([alice.pk, bob.pk])
    carol.refresh_from_db()
    assert carol.services == "active"


@pytest.mark.parametrize("reasons", [["weather"], ["locked", "locked"]])
def test_the_database_refuses_an_unknown_or_a_doubled_reason(
    alice: Account, reasons: list[str]
) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Account.objects.filter(pk=alice.pk).update(pause_reasons=reasons)


def test_what_was_recorded_is_never_changed_or_removed(alice: Account) -> None:
    service_state.pause(account_ids=[alice.pk], reason=PauseReason.LOCKED, now=NOW)
    events = AuditEvent.objects.filter(account=alice)
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        events.update(reason="Nothing to see here")
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        events.delete()
