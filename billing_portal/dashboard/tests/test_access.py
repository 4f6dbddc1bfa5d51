"""Who may see and who may change what."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Account, Membership, User
from accounts.tests.factories import make_card
from billing_portal.dashboard.tests import scenes
from invoices.models import Status
from invoices.tests.factories import make_transaction

pytestmark = pytest.mark.django_db

SignIn = Callable[..., Client]
LOOKING = (
    "billing-overview",
    "payment-methods",
    "billing-history",
    "billing-history-export",
    "plan",
    "billing-settings",
)
ACTING = (
    ("get", "top-up", ()),
    ("post", "top-up", ()),
    ("post", "auto-refill", ()),
    ("post", "low-balance", ()),
    ("post", "renewal-pay-now", ()),
    ("get", "payment-method-add", ()),
    ("post", "payment-method-add", ()),
    ("post", "payment-method-setup-intent", ()),
    ("post", "payment-method-default", (1,)),
    ("post", "payment-method-remove", (1,)),
    ("get", "choose-plan", ("growth",)),
    ("post", "choose-plan", ("growth",)),
    ("get", "plan-cancel", ()),
    ("post", "plan-cancel", ()),
    ("post", "plan-keep", ()),
)


@pytest.mark.parametrize("name", LOOKING)
def test_a_stranger_is_asked_to_sign_in(client: Client, name: str) -> None:
    response = client.get(reverse(name))

    assert response.status_code == 302
    assert response["Location"].startswith("/accounts/login/?next=/billing/")


@pytest.mark.parametrize("role", ["owner", "billing", "viewer"])
@pytest.mark.parametrize("name", LOOKING)
def test_every_role_sees_every_page(
    account: Account, sign_in: SignIn, name: str, role: str
) -> None:
    assert sign_in(account, role=role).get(reverse(name)).status_code == 200


@pytest.mark.parametrize(("method", "name", "arguments"), ACTING)
def test_a_viewer_can_change_nothing(
    account: Account, sign_in: SignIn, method: str, name: str, arguments: tuple[object, ...]
) -> None:
    client = sign_in(account, role="viewer")

    response = getattr(client, method)(reverse(name, args=arguments))

    assert response.status_code == 403
    assert "Your role lets you look" in response.content.decode()


def test_a_viewer_finds_no_button_that_would_be_refused(
    sign_in: SignIn,
) -> None:
    account = scenes.busy_company()
    client = sign_in(account, role="viewer")

    for name in (
        "billing-overview",
        "payment-methods",
        "billing-history",
        "plan",
        "billing-settings",
    ):
        html = client.get(reverse(name)).content.decode()
        for method, acting, arguments in ACTING:
            if not arguments:
                assert f'{reverse(acting)}"' not in html, f"{acting} on {name} ({method})"
        assert "Set as Default" not in html
        assert "Choose " not in html


def test_a_member_of_two_accounts_switches_between_them(sign_in: SignIn) -> None:
    first, second = scenes.make_company(name="Acme"), scenes.make_company(name="Zafar")
    user = scenes.make_member(first)
    Membership.objects.create(account=second, user=user, role="viewer", created_at=timezone.now())
    client = sign_in(first, user=user)

    assert "Acme" in client.get("/billing/").content.decode().split("<main")[1]
    response = client.post(reverse("switch-account"), {"account": str(second.pk)}, follow=True)

    assert "Zafar" in response.content.decode().split("<main")[1]
    assert client.get(reverse("top-up")).status_code == 403  # only a viewer there


@pytest.mark.parametrize("account_id", ["", "nonsense", "00000000-0000-0000-0000-000000000000"])
def test_an_account_one_is_no_member_of_does_not_exist(
    account: Account, sign_in: SignIn, account_id: str
) -> None:
    response = sign_in(account).post(reverse("switch-account"), {"account": account_id})

    assert response.status_code == 404


def test_a_member_who_was_removed_falls_back_to_another_account(sign_in: SignIn) -> None:
    first, second = scenes.make_company(name="Acme"), scenes.make_company(name="Zafar")
    user = scenes.make_member(first)
    other = Membership.objects.create(
        account=second, user=user, role="viewer", created_at=timezone.now()
    )
    client = sign_in(first, user=user)
    client.post(reverse("switch-account"), {"account": str(second.pk)})

    other.delete()

    assert "Acme" in client.get("/billing/").content.decode().split("<main")[1]


def test_nothing_of_another_tenant_can_be_reached(account: Account, sign_in: SignIn) -> None:
    other = scenes.make_company()
    card = make_card(other, is_default=True)
    paid = make_transaction(other, status=Status.PAID)
    client = sign_in(account)

    assert client.get(reverse("billing-history-detail", args=[paid.number])).status_code == 404
    assert client.get(reverse("billing-history-receipt", args=[paid.number])).status_code == 404
    assert client.get(f"{reverse('top-up-return')}?number={paid.number}").status_code == 404
    assert client.post(reverse("payment-method-default", args=[card.pk])).status_code == 404
    assert client.post(reverse("payment-method-remove", args=[card.pk])).status_code == 404
    assert paid.number not in client.get(reverse("billing-history")).content.decode()
    assert (
        paid.number
        not in b"".join(
            client.get(reverse("billing-history-export")).streaming_content  # type: ignore[attr-defined]
        ).decode()
    )


def test_a_user_without_an_account_is_told_why_nothing_is_shown(client: Client) -> None:
    client.force_login(
        User.objects.create_user("lost@muscat.test", "x"),
        backend="django.contrib.auth.backends.ModelBackend",
    )

    response = client.get("/billing/")

    assert response.status_code == 403
    assert "You are not a member of an account yet" in response.content.decode()


def test_staff_without_an_account_are_sent_to_the_admin(client: Client) -> None:
    client.force_login(
        User.objects.create_user("support@badal.test", "x", is_staff=True),
        backend="django.contrib.auth.backends.ModelBackend",
    )

    assert client.get("/billing/")["Location"] == "/admin/"


@pytest.mark.parametrize(
    ("name", "arguments", "page"),
    [
        ("auto-refill", (), "billing-overview"),
        ("low-balance", (), "billing-settings"),
        ("renewal-pay-now", (), "billing-overview"),
        ("switch-account", (), "billing-overview"),
        ("payment-method-default", (1,), "payment-methods"),
        ("payment-method-remove", (1,), "payment-methods"),
    ],
)
def test_signing_in_again_after_a_form_was_sent_leads_to_its_page(
    account: Account, client: Client, name: str, arguments: tuple[object, ...], page: str
) -> None:
    user = scenes.make_member(account, "owner", email="late@example.com")
    sent = client.post(reverse(name, args=arguments))  # the session had ended
    back_to = sent["Location"].partition("next=")[2]
    client.force_login(user)

    response = client.get(back_to)

    assert response.status_code == 302
    assert response["Location"] == reverse(page)


def test_changing_something_needs_the_csrf_token(account: Account) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(
        scenes.make_member(account), backend="django.contrib.auth.backends.ModelBackend"
    )

    response = client.post(reverse("auto-refill"), {"threshold": "10", "amount": "25"})

    assert response.status_code == 403
    assert "This page has expired" in response.content.decode()
