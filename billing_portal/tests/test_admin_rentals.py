"""Rentals changed by staff: with a reason, at the price that was shown, by who may."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
import time_machine
from django.test import Client

from accounts.models import Account, AuditEvent, Card
from accounts.tests.factories import make_account
from accounts.tests.stripe_side import decline_from_now_on
from billing_portal.tests.test_admin_actions import signed_in, staff, url
from invoices.models import Purpose, Transaction
from plans import rental_changes
from plans.models import Rental, RentalVia
from plans.tests.subscribers import feature, make_subscriber
from plans.tests.test_rentals import HALFWAY, START, hold

if TYPE_CHECKING:
    from conftest import Sandbox

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _halfway() -> Iterator[None]:
    with time_machine.travel(HALFWAY, tick=False):
        yield


@pytest.fixture
def alice(add_card: Callable[..., Card]) -> Account:
    """On growth since 1 November: 2 numbers are included, the third costs $2.50 a month."""
    return make_subscriber(add_card, "growth", now=START)


@pytest.fixture
def finance(db: None) -> Client:
    may = ("view_account", "view_rental", "view_auditevent", "change_rental")
    return signed_in(staff("finance@staff.test", *may))


def wanted(quantity: int = 5, **fields: Any) -> dict[str, Any]:
    return {
        "feature": feature("phone_number").pk,
        "quantity": quantity,
        "reason": "Asked by phone",
        **fields,
    }


def confirmed(client: Client, account: Account, wish: dict[str, Any]) -> dict[str, Any]:
    """Return what the confirmation page would post."""
    page = client.post(url("change_rental", account), wish)
    assert page.context["effect"] is not None, page.context["form"].errors
    return {**wish, "quote": page.context["effect"].quote, "_apply": ""}


def held(account: Account) -> int:
    rental = rental_changes.open_rental(account=account, feature=feature("phone_number"))
    return rental.quantity if rental else 0


def test_the_exact_price_is_shown_before_anything_happens(alice: Account, finance: Client) -> None:
    page = finance.post(url("change_rental", alice), wanted())
    assert page.context["effect"].facts == (
        ("Phone number", "0 → 5 numbers"),
        ("From", "now"),
        ("Net, until the renewal", "$3.75"),
        ("Charged now", "$3.75, OMR 1.440, to Visa •••• 4242"),
        ("From the renewal on, net", "5 numbers, $7.50"),
    )
    assert "Charge $3.75" in page.content.decode()
    assert held(alice) == 0


def test_it_is_charged_once_with_reason_and_name(alice: Account, finance: Client) -> None:
    confirmation = confirmed(finance, alice, wanted())
    for _ in range(2):
        finance.post(url("change_rental", alice), confirmation)
    assert held(alice) == 5
    assert Transaction.objects.filter(account=alice, purpose=Purpose.RENTAL).count() == 1
    rental = Rental.objects.get(account=alice)
    assert rental.changed_by is not None
    assert (rental.via, rental.changed_by.email, rental.reason) == (
        RentalVia.ADMIN,
        "finance@staff.test",
        "Asked by phone",
    )
    event = AuditEvent.objects.get(account=alice, action="rental_taken")
    assert (event.reason, event.details["quantity"]) == ("Asked by phone", 5)
    story = finance.get(url("change", alice)).content.decode()
    assert "Took Phone number: 5 instead of" in story
    assert "Asked by phone" in story


def test_a_release_costs_nothing_and_waits_for_the_renewal(alice: Account, finance: Client) -> None:
    hold(alice, "phone_number", 5)
    finance.post(url("change_rental", alice), confirmed(finance, alice, wanted(3)))
    rental = rental_changes.open_rental(account=alice, feature=feature("phone_number"))
    assert rental is not None
    assert (rental.quantity, rental.quantity_at_renewal) == (5, 3)


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"reason": ""}, "Say why"),
        ({"quantity": -1}, "greater than or equal to 0"),
        ({"quantity": 0}, "This is what they hold already."),
    ],
)
def test_what_can_t_be_is_explained(
    alice: Account, finance: Client, wish: dict[str, Any], said: str
) -> None:
    page = finance.post(url("change_rental", alice), {**wanted(), **wish})
    assert page.status_code == 200
    assert said in page.content.decode()
    assert held(alice) == 0


def test_a_confirmation_without_its_price_does_nothing(alice: Account, finance: Client) -> None:
    page = finance.post(url("change_rental", alice), wanted(_apply="", quote="forged"))
    assert "Please look at it again." in page.content.decode()
    assert held(alice) == 0


def test_a_decline_is_told(alice: Account, finance: Client, sandbox: "Sandbox") -> None:
    decline_from_now_on(sandbox, alice.cards.get(), "insufficient_funds")
    done = finance.post(
        url("change_rental", alice), confirmed(finance, alice, wanted()), follow=True
    )
    assert "Nothing was changed: " in done.content.decode()
    assert held(alice) == 0


def test_who_may_not_change_rentals_is_not_offered_it(alice: Account) -> None:
    support = signed_in(staff("support@staff.test", "view_account", "view_rental"))
    assert url("change_rental", alice) not in support.get(url("change", alice)).content.decode()
    assert support.post(url("change_rental", alice), wanted()).status_code == 403


def test_an_account_without_a_plan_has_no_rentals(alice: Account, finance: Client) -> None:
    page = finance.get(url("change_rental", make_account()))
    assert "no plan with rentals" in page.content.decode()
