"""One search finds a customer by whatever the person on the phone can name."""

from decimal import Decimal

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from djstripe.models import Charge

from accounts.models import Account, CardAttempt, Membership, User
from accounts.roles import Role
from accounts.tests.factories import NOW, make_account, make_card
from billing_portal.admin import search
from billing_portal.tests.admin_company import Company, make_company
from invoices.models import Dispute, Refund, Status
from invoices.tests.factories import make_transaction
from plans import daily_spend, usage
from plans.tests.factories import make_record

pytestmark = pytest.mark.django_db

ACCOUNTS = reverse("admin:accounts_account_changelist")


@pytest.fixture
def company(db: None) -> Company:
    company = make_company()
    company.account.external_id = "muscat-17"
    company.account.save()
    other = make_account(name="Sohar Dental", owner_email="owner@sohar.test")
    make_card(other, last4="1881")
    return company


@pytest.fixture
def office(company: Company) -> Client:
    return signed_in(company.admin)


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def listed(office: Client, term: str) -> list[str]:
    page = office.get(ACCOUNTS, {"q": term})
    return [account.name for account in page.context["cl"].result_list]


def goes_to(office: Client, term: str) -> str:
    answer = office.get(ACCOUNTS, {"q": term})
    assert answer.status_code == 302, f"{term} is listed"
    return answer["Location"]


def page_of(record: Account | Refund | Dispute) -> str:
    options = record._meta
    return reverse(f"admin:{options.app_label}_{options.model_name}_change", args=[record.pk])


def test_names_and_addresses_are_found_by_a_part(company: Company) -> None:
    for term in ("Muscat Frei", "freight muscat", "cat fre", "MU", "owner@mus"):
        assert search.named(term) == [company.account.pk], term
    assert listed(signed_in(company.admin), "Muscat Frei") == ["Muscat Freight LLC"]


def test_what_identifies_an_account_leads_to_its_page(office: Client, company: Company) -> None:
    account = company.account
    colleague = User.objects.create_user("Amal.Said@elsewhere.test")
    Membership.objects.create(account=account, user=colleague, role=Role.VIEWER, created_at=NOW)
    CardAttempt.objects.create(
        account=account, stripe_setup_intent_id="seti_Declined", created_at=NOW
    )
    for term in (
        "muscat freight llc",
        "owner@muscat.test",
        "amal.said@elsewhere.test",
        "muscat-17",
        "cus_muscat",
        str(account.pk),
        "4242",
        company.card.stripe_payment_method_id,
        company.card.stripe_setup_intent_id,
        "seti_Declined",
    ):
        assert goes_to(office, term) == page_of(account), term


def test_what_identifies_a_payment_leads_to_the_payment(office: Client, company: Company) -> None:
    paid = company.paid
    Charge.objects.filter(id="ch_1").update(
        id="ch_Paid", stripe_data={"payment_intent": paid.stripe_payment_intent_id}
    )
    checkout = make_transaction(company.account, status=Status.CHECKOUT)
    checkout.stripe_checkout_session_id = "cs_Test1"
    checkout.save()
    page = reverse("admin:invoices_transaction_change", args=[paid.pk])
    for term in (
        paid.number,
        paid.number.lower(),
        f" {paid.receipt_number} ",
        paid.stripe_payment_intent_id,
        "ch_Paid",
    ):
        assert goes_to(office, term) == page, term
    other = reverse("admin:invoices_transaction_change", args=[checkout.pk])
    assert goes_to(office, "cs_Test1") == other


def test_what_identifies_a_refund_or_a_dispute_leads_there(office: Client) -> None:
    refund, dispute = Refund.objects.get(), Dispute.objects.get()
    for term in (refund.number, refund.credit_note_number, "re_1"):
        assert goes_to(office, term) == page_of(refund), term
    for term in ("du_1", "ch_1"):
        assert goes_to(office, term) == page_of(dispute), term


def test_a_card_that_paid_on_stripes_page_is_found_too(office: Client) -> None:
    guest = make_account(name="Nizwa Halwa")
    for _ in range(3):
        make_transaction(guest, card=None, amount="10.00", card_brand="visa", card_last4="0077")

    assert goes_to(office, "0077") == page_of(guest)


def test_last_four_that_several_have_are_listed(office: Client) -> None:
    make_card(make_account(name="Ibra Foods"), last4="4242")

    assert listed(office, "4242") == ["Ibra Foods", "Muscat Freight LLC"]


def test_a_workspace_is_found_once_its_usage_was_added_up(office: Client, company: Company) -> None:
    records = [make_record(company.account, "1", workspace=f"Ruwi Branch {n}") for n in (1, 2)]
    usage.record(records=records, now=NOW)
    # Far fewer than are added up every minute: what is left is, every hour.
    daily_spend.add_up_due(left=0)

    assert goes_to(office, "ruwi branch 1") == page_of(company.account)
    assert listed(office, "ruwi") == ["Muscat Freight LLC"]


def test_what_is_found_nowhere_is_answered_with_what_can_be_searched_for(office: Client) -> None:
    page = office.get(ACCOUNTS, {"q": "Salalah Port"}).content.decode()

    assert "Nothing is found for “Salalah Port”" in page
    for way in ("last four", "workspace", "Stripe id"):
        assert way in page


def test_a_search_that_is_narrowed_stays_in_the_list(office: Client) -> None:
    page = office.get(ACCOUNTS, {"q": "4242", "services": "active"})

    assert page.status_code == 200


def test_whatever_is_typed_is_no_error(office: Client) -> None:
    for term in ("%", "_", "'", "\\", " ", "🙂🙂🙂", "x" * 5000):
        search.find(term)
    assert office.get(ACCOUNTS, {"q": "\0"}).status_code == 200


def test_the_command_palette_finds_the_same(office: Client, company: Company) -> None:
    def found(term: str) -> str:
        return office.get(reverse("admin:search"), {"s": term, "extended": "1"}).content.decode()

    assert page_of(company.account) in found("Muscat Fr")
    payment = found(company.paid.number)
    assert reverse("admin:invoices_transaction_change", args=[company.paid.pk]) in payment
    assert "transaction of Muscat Freight LLC" in payment
    Charge.objects.update(
        id="ch_AbC", stripe_data={"payment_intent": company.paid.stripe_payment_intent_id}
    )
    assert company.paid.number not in found("ch_abc")
    assert reverse("admin:invoices_transaction_change", args=[company.paid.pk]) in found("ch_AbC")


def test_who_may_not_see_payments_is_led_to_the_account(company: Company) -> None:
    desk = User.objects.create_user("desk@staff.test", is_staff=True)
    desk.user_permissions.set(Permission.objects.filter(codename="view_account"))

    assert goes_to(signed_in(desk), company.paid.number) == page_of(company.account)


def test_who_may_not_see_accounts_finds_nothing(company: Company) -> None:
    clerk = User.objects.create_user("clerk@staff.test", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename="view_plan"))
    client = signed_in(clerk)

    assert client.get(ACCOUNTS, {"q": company.paid.number}).status_code == 403
    palette = client.get(reverse("admin:search"), {"s": "Muscat", "extended": "1"})
    assert b"Muscat Freight" not in palette.content


def test_one_statement_asks_all_ways(company: Company, django_assert_num_queries: object) -> None:
    make_transaction(company.account, amount=str(Decimal(3)))
    with django_assert_num_queries(1):  # type: ignore[operator]
        assert {hit.account_id for hit in search.find("4242")} == {company.account.pk}
