"""Every page of the admin opens for who may see it, and changes nothing for who may not."""

import re

import pytest
from django.contrib import admin
from django.contrib.admin import ModelAdmin
from django.contrib.auth.models import Group, Permission
from django.db.models import Model
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries
from unfold.admin import ModelAdmin as UnfoldModelAdmin

from accounts.models import Membership, User
from accounts.staff_roles import PERMISSIONS, StaffRole
from accounts.tests.factories import NOW, make_account, make_card
from billing_portal.tests.admin_company import Company, make_company
from invoices.models import Status
from invoices.tests.factories import make_transaction
from plans.tests.factories import make_subscription, make_wallet

pytestmark = pytest.mark.django_db


@pytest.fixture
def company(db: None) -> Company:
    return make_company()


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def every_admin() -> list[tuple[type[Model], "ModelAdmin[Model]"]]:
    return list(admin.site._registry.items())


def url_of(model: type[Model], page: str, *args: object) -> str:
    options = model._meta
    return reverse(f"admin:{options.app_label}_{options.model_name}_{page}", args=args)


def model_of(label: str) -> type[Model]:
    return next(model for model, _ in every_admin() if model._meta.label_lower == label)


def test_every_page_opens_for_an_administrator(company: Company) -> None:
    client = signed_in(company.admin)
    empty = []
    for model, site in every_admin():
        label = model._meta.label_lower
        assert client.get(url_of(model, "changelist")).status_code == 200, label
        assert client.get(url_of(model, "changelist"), {"q": "muscat"}).status_code == 200, label
        record = model._default_manager.first()
        if record is None:
            empty.append(label)
        if record is not None:
            page = client.get(url_of(model, "change", record.pk))
            assert page.status_code == 200, label
            assert b"hush-hush" not in page.content, label
        adding = client.get(url_of(model, "add")).status_code
        request = page.wsgi_request
        assert adding == (200 if site.has_add_permission(request) else 403), label
    # Objects of Stripe's that take a tree of others to make.
    assert set(empty) <= {"djstripe.refund", "djstripe.dispute", "djstripe.balancetransaction"}


@pytest.mark.parametrize("label", ["wallet.adjustment", "wallet.autorefill"])
def test_what_belongs_to_a_wallet_names_the_customer(company: Company, label: str) -> None:
    record = model_of(label)._default_manager.get()

    page = signed_in(company.admin).get(url_of(type(record), "change", record.pk))

    main = page.content.decode().partition("<main")[2] or page.content.decode()
    assert f">{company.account.name}</a>" in main


def test_every_list_leads_to_its_records(company: Company) -> None:
    client = signed_in(company.admin)
    for model, _ in every_admin():
        record = model._default_manager.first()
        if record is None:
            continue
        page = client.get(url_of(model, "changelist")).content.decode()
        address = re.escape(url_of(model, "change", record.pk))
        found = re.search(rf'<a href="{address}[^"]*"[^>]*>(.*?)</a>', page, re.DOTALL)
        assert found, model._meta.label_lower
        assert "<a " not in found[1], model._meta.label_lower
        assert "&lt;span" not in page, f"{model._meta.label_lower} shows its own HTML"


def test_every_admin_page_is_one_of_unfolds() -> None:
    strangers = [model for model, site in every_admin() if not isinstance(site, UnfoldModelAdmin)]
    assert strangers == []


def test_strangers_and_customers_see_no_page(company: Company) -> None:
    customer = User.objects.get(email="owner@muscat.test")
    for client in (Client(), signed_in(customer)):
        answer = client.get(reverse("admin:accounts_account_changelist"))
        assert answer.status_code == 302
        assert "/admin/login/" in answer["Location"]


def test_the_list_of_accounts_takes_the_same_queries_for_one_and_for_many(
    company: Company, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    client = signed_in(company.admin)
    address = reverse("admin:accounts_account_changelist")
    client.get(address)
    for _ in range(30):
        other = make_account(pause_reasons=["locked"])
        make_wallet(other, balance="-3.20")
        make_card(other)
        make_subscription(other, company.version)
    with django_assert_max_num_queries(9):
        page = client.get(address)
    assert page.content.decode().count("−$3.20") == 30


def test_the_other_lists_take_few_queries(
    company: Company, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    client = signed_in(company.admin)
    for _ in range(20):
        make_transaction(make_account())
    for model, _ in every_admin():
        with django_assert_max_num_queries(11):
            assert client.get(url_of(model, "changelist")).status_code == 200


def test_the_account_page_takes_the_same_queries_however_long_its_story(
    company: Company, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    client = signed_in(company.admin)
    address = reverse("admin:accounts_account_change", args=[company.account.pk])
    for number in range(25):
        make_transaction(company.account, status=Status.FAILED)
        user = User.objects.create_user(f"member{number}@muscat.test")
        Membership.objects.create(account=company.account, user=user, role="viewer", created_at=NOW)
    with django_assert_max_num_queries(32):
        page = client.get(address).content.decode()
    for text in ("Dropped calls", "Call minutes", "•••• 4242", "All entries", "Phone number"):
        assert text in page
    # And where to find everything of a kind.
    assert f"?account__id__exact={company.account.pk}" in page


def test_accounts_are_filtered_by_state_plan_and_balance(company: Company) -> None:
    client = signed_in(company.admin)
    locked = make_account(name="Locked", pause_reasons=["locked"])
    make_wallet(locked)

    def names(**query: str) -> list[str]:
        page = client.get(reverse("admin:accounts_account_changelist"), query)
        return [account.name for account in page.context["cl"].result_list]

    assert names(services="paused") == ["Locked"]
    assert names(services="locked") == ["Locked"]
    assert names(services="negative_balance") == []
    assert names(services="active") == ["Muscat Freight LLC"]
    assert names(plan=company.version.plan.slug) == ["Muscat Freight LLC"]
    assert names(plan="none") == ["Locked"]
    assert names(balance="zero") == ["Locked"]
    assert names(balance="positive") == ["Muscat Freight LLC"]


def test_the_front_page_counts_what_needs_a_person(
    company: Company, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    client = signed_in(company.admin)
    with django_assert_max_num_queries(23):
        page = client.get(reverse("admin:index"))
    counts = {concern.title: concern.count for concern in page.context["concerns"]}
    assert counts["Paused accounts"] == 0
    assert counts["Past due"] == 0
    for concern in page.context["concerns"]:
        listed = client.get(concern.url)
        assert listed.status_code == 200
        assert len(listed.context["cl"].result_list) == concern.count, concern.title


def test_the_sidebar_leads_nowhere_forbidden(company: Company) -> None:
    limited = User.objects.create_user("limited@staff.test", is_staff=True)
    limited.user_permissions.set(
        company.support.user_permissions.filter(
            codename__in=["view_account", "view_card"], content_type__app_label="accounts"
        )
    )
    client = signed_in(limited)
    page = client.get(reverse("admin:index"))
    groups = page.context["sidebar_navigation"]
    links = [item["link"] for group in groups for item in group["items"]]
    assert len(links) == 3
    assert all(client.get(link).status_code == 200 for link in links)
    assert [concern.title for concern in page.context["concerns"]] == ["Paused accounts"]
    # The story leaves out what they may not see.
    story = client.get(reverse("admin:accounts_account_change", args=[company.account.pk]))
    assert "All entries" not in story.content.decode()


@pytest.mark.parametrize("role", list(StaffRole))
def test_the_sidebar_has_what_the_role_may_open(company: Company, role: StaffRole) -> None:
    person = User.objects.create_user("person@staff.test", is_staff=True)
    person.groups.set([Group.objects.get(name=role)])
    page = signed_in(person).get(reverse("admin:index"))
    groups = {
        str(group.get("title", "")): [item["link"] for item in group["items"]]
        for group in page.context["sidebar_navigation"]
    }
    for_all = {"", "Customers", "Payments", "Credit and usage", "Sent to customers"}
    for_all |= {"Plans and prices", "Staff and access"}
    more = {
        StaffRole.SUPPORT: set(),
        StaffRole.FINANCE: {"Books", "What Stripe says"},
    }.get(role, {"Books", "What Stripe says", "Scheduled jobs"})
    assert set(groups) == for_all | more

    links = {link for group in groups.values() for link in group}
    lists = {
        url_of(model, "changelist")
        for model, _ in every_admin()
        if role in PERMISSIONS[f"{model._meta.app_label}.view_{model._meta.model_name}"]
    }
    # A price is reached from its version.
    assert lists - links == {reverse("admin:plans_featureprice_changelist")}
    books = {reverse("admin:wallet_entry_month_end")} if "Books" in groups else set()
    assert links - lists == {reverse("admin:index")} | books


def test_only_who_manages_staff_gives_rights_or_touches_a_colleague(company: Company) -> None:
    keeper = User.objects.create_user("keeper@staff.test", is_staff=True)
    keeper.user_permissions.set(
        Permission.objects.filter(codename__in=["view_user", "change_user", "add_user"])
    )
    client = signed_in(keeper)
    customer = User.objects.get(email="owner@muscat.test")
    forged = {"email": customer.email, "is_staff": "on", "is_superuser": "on", "is_active": "on"}
    client.post(url_of(User, "change", customer.pk), forged)
    customer.refresh_from_db()
    assert not customer.is_staff
    assert not customer.is_superuser
    for colleague in (company.admin, company.support):
        page = url_of(User, "change", colleague.pk)
        assert client.post(page, {"password1": "x", "password2": "x"}).status_code == 403
        # Nobody sets another's password: who forgot it has the page of their own.
        assert client.get(page.replace("/change/", "/password/")).status_code != 200


def test_a_user_is_added_by_e_mail(company: Company) -> None:
    answer = signed_in(company.admin).post(
        url_of(User, "add"),
        {
            "email": "new@staff.test",
            "usable_password": "true",
            "password1": "a-very-long-password",
            "password2": "a-very-long-password",
            "reason": "Starts on Monday",
            "memberships-TOTAL_FORMS": "0",
            "memberships-INITIAL_FORMS": "0",
        },
    )
    assert answer.status_code == 302
    assert User.objects.get(email="new@staff.test").check_password("a-very-long-password")
