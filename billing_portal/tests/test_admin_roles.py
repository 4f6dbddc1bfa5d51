"""Every address of the admin, asked for by every role: what opens, and what a forged POST does.

Nothing here is trusted to a page's own word: what may be written by a page's form is in WRITTEN,
what an action asks for is in ACTIONS, and an address that is in neither fails the first test.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin import ModelAdmin
from django.contrib.auth.models import Group
from django.contrib.messages.storage.fallback import FallbackStorage
from django.contrib.sessions.backends.db import SessionStore
from django.core.exceptions import PermissionDenied
from django.db.models import CASCADE, ForeignKey, Model, ProtectedError
from django.http import Http404
from django.test import Client, RequestFactory
from django.urls import NoReverseMatch, URLPattern, URLResolver, resolve, reverse

from accounts.models import User
from accounts.staff_roles import PERMISSIONS, StaffRole
from billing_portal.admin.base import ReadOnlyAdmin
from billing_portal.tests.admin_company import Company, make_company
from plans.models import FeaturePrice

pytestmark = pytest.mark.django_db

#: What a page's form writes, for whom the table of roles gives the permission. Whatever has a page
#: and is not here is the truth: nobody adds, changes or deletes it, superusers included.
WRITTEN: dict[str, set[str]] = {
    "accounts.account": {"change"},
    "accounts.apikey": {"change"},
    "accounts.user": {"add", "change"},
    "plans.feature": {"add", "change"},
    "plans.featureprice": {"change"},
    "plans.plan": {"add", "change"},
    "plans.planversion": {"add", "change"},
}
#: Where the permission to use the form is another than the stock one.
NEEDS = {"plans.featureprice.change": "plans.change_planversion"}

#: The truth, said once more by name: a page of these that became writable must not go unnoticed.
TRUTH = {
    "account.emailaddress",
    "accounts.auditevent",
    "accounts.card",
    "accounts.cardattempt",
    "accounts.deliveryattempt",
    "accounts.invitation",
    "accounts.message",
    "auth.group",
    "billing_portal.auditreport",
    "billing_portal.businessday",
    "billing_portal.heartbeat",
    "django_celery_beat.crontabschedule",
    "django_celery_beat.intervalschedule",
    "django_celery_beat.periodictask",
    "invoices.dispute",
    "invoices.reconciliationfinding",
    "invoices.reconciliationrun",
    "invoices.refund",
    "invoices.transaction",
    "mfa.authenticator",
    "plans.allowance",
    "plans.planchange",
    "plans.renewal",
    "plans.rental",
    "plans.subscribermove",
    "plans.subscription",
    "plans.usagerecord",
    "wallet.adjustment",
    "wallet.approvalrequest",
    "wallet.autorefill",
    "wallet.autorefillconsent",
    "wallet.entry",
    "wallet.wallet",
}

#: Pages of one record, or of a list, beside Django's own: name, and the permission they ask for.
ACTIONS = {
    "accounts_account_adjust_credit": "wallet.add_adjustment",
    "accounts_account_cancel_plan": "plans.change_subscription",
    "accounts_account_change_plan": "plans.change_subscription",
    "accounts_account_change_rental": "plans.change_rental",
    "accounts_account_keep_plan": "plans.change_subscription",
    "accounts_account_add_note": "accounts.add_note",
    "accounts_account_edit": "accounts.change_account",
    "accounts_account_extend_grace": "plans.extend_grace",
    "accounts_account_lock": "accounts.lock_services",
    "accounts_account_reset_usage_cycle": "plans.reset_usage_cycle",
    "accounts_account_unlock": "accounts.lock_services",
    "accounts_account_view_as": "accounts.view_as_customer",
    "accounts_apikey_new_key": "accounts.add_apikey",
    "accounts_apikey_revoke": "accounts.change_apikey",
    "accounts_message_html": "accounts.view_message",
    "accounts_message_send_again": "accounts.change_message",
    "accounts_user_change_role": "accounts.manage_staff",
    "accounts_user_sign_out": "accounts.end_sessions",
    "accounts_user_remove_second_factor": "accounts.remove_second_factor",
    "django_celery_beat_periodictask_change_interval": "django_celery_beat.change_periodictask",
    "django_celery_beat_periodictask_run": "django_celery_beat.change_periodictask",
    "django_celery_beat_periodictask_switch_off": "django_celery_beat.change_periodictask",
    "django_celery_beat_periodictask_switch_on": "django_celery_beat.change_periodictask",
    "invoices_reconciliationfinding_deal_with": "invoices.change_reconciliationfinding",
    "invoices_refund_credit_note": "invoices.view_refund",
    "invoices_refund_export": "invoices.export_refunds",
    "invoices_transaction_ask_stripe": "invoices.ask_stripe",
    "invoices_transaction_export": "invoices.export_transactions",
    "invoices_transaction_refund": "wallet.ask_for_refund",
    "invoices_transaction_retry": "invoices.retry_transaction",
    "invoices_transaction_send_receipt": "accounts.change_message",
    "plans_plan_archive": "plans.archive_plan",
    "plans_plan_restore": "plans.archive_plan",
    "plans_planversion_draft": "plans.add_planversion",
    "plans_planversion_move_subscribers": "plans.publish_planversion",
    "plans_planversion_preview": "plans.view_planversion",
    "plans_planversion_publish": "plans.publish_planversion",
    "wallet_adjustment_reverse_adjustment": "wallet.reverse_adjustment",
    "wallet_approvalrequest_approve": "wallet.decide_approval",
    "wallet_approvalrequest_decline": "wallet.decide_approval",
    "wallet_approvalrequest_withdraw": "wallet.view_approvalrequest",
    "wallet_entry_export": "wallet.export_entries",
    "wallet_entry_month_end": "wallet.read_month_end",
}
#: What is chosen above a list for the rows that are marked.
LIST_ACTIONS = {
    "accounts.message": {"send_selected_again": "accounts.change_message"},
    "django_celery_beat.periodictask": {
        "switch_on_selected": "django_celery_beat.change_periodictask",
        "switch_off_selected": "django_celery_beat.change_periodictask",
        "run_selected": "django_celery_beat.change_periodictask",
    },
}
#: Rows that are written on another record's page.
WRITTEN_INLINE = {
    "accounts.account": {"accounts.membership"},
    "plans.planversion": {"plans.featureprice"},
    "plans.featureprice": {"plans.pricetier"},
}
#: Pages of the whole admin.
SITE_PAGES = {
    "app_list",
    "autocomplete",
    "index",
    "jsi18n",
    "login",
    "logout",
    "password_change",
    "password_change_done",
    "search",
    "stop-viewing",
    "view_on_site",
}
STOCK = ("changelist", "add", "history", "delete", "change")
#: None stands for a superuser.
ROLES = [*StaffRole, None]


@pytest.fixture
def company(db: None) -> Company:
    return make_company()


def url_name(model: type[Model], page: str) -> str:
    return f"{model._meta.app_label}_{model._meta.model_name}_{page}"


def url_of(model: type[Model], page: str, *args: object) -> str:
    return reverse(f"admin:{url_name(model, page)}", args=args)


def pages() -> "list[tuple[str, type[Model], ModelAdmin[Model]]]":
    return [(model._meta.label_lower, model, site) for model, site in admin.site._registry.items()]


def staff_of(role: StaffRole | None) -> User:
    if role is None:
        return User.objects.create_superuser("superuser@roles.test")
    person = User.objects.create_user(f"{role.lower()}@roles.test", is_staff=True)
    person.groups.set([Group.objects.get(name=role)])
    return person


def ask(person: User, address: str, post: dict[str, Any] | None = None) -> int:
    """Return what the view behind an address answers, before a page is drawn of it.

    That takes a tenth of the time, and there are thousands of these.
    """
    factory = RequestFactory()
    request = factory.get(address) if post is None else factory.post(address, post)
    request.user = person
    request.session = SessionStore()
    request._messages = FallbackStorage(request)  # type: ignore[attr-defined]
    request._dont_enforce_csrf_checks = True  # type: ignore[attr-defined]
    request.resolver_match = match = resolve(address)
    try:
        return int(match.func(request, *match.args, **match.kwargs).status_code)
    except PermissionDenied:
        return 403
    except Http404:
        return 404


def may(role: StaffRole | None, permission: str) -> bool:
    """What the table of roles says; a superuser may whatever somebody may."""
    return role is None or role in PERMISSIONS.get(permission, ())


def may_see(role: StaffRole | None, label: str) -> bool:
    app_label, _, name = label.partition(".")
    return may(role, f"{app_label}.view_{name}")


def may_write(role: StaffRole | None, label: str, what: str) -> bool:
    app_label, _, name = label.partition(".")
    permission = NEEDS.get(f"{label}.{what}", f"{app_label}.{what}_{name}")
    return what in WRITTEN.get(label, ()) and may(role, permission)


def record_of(company: Company, label: str, model: type[Model]) -> Model | None:
    """One that may be written, where that depends on it: no colleague, and a draft of a plan."""
    if label == "accounts.user":
        return User.objects.get(email="owner@muscat.test")
    if label == "plans.planversion":
        return company.draft
    if label == "plans.featureprice":
        return FeaturePrice.objects.get(version=company.draft)
    return model._default_manager.first()


def written_down() -> dict[str, list[dict[str, Any]]]:
    """All that is in the tables which nobody may touch."""
    untouched = [model for label, model, _ in pages() if label not in WRITTEN]
    return {
        model._meta.label: list(model._default_manager.order_by("pk").values())
        for model in untouched
    }


# Everything is classified ---------------------------------------------------------------------
def test_every_address_is_classified() -> None:
    """One that is new belongs into WRITTEN, ACTIONS or SITE_PAGES, with who may use it."""
    stock = {url_name(model, page) for _, model, _ in pages() for page in STOCK}
    assert {pattern.name for pattern in _patterns() if pattern.name} - stock == {
        *ACTIONS,
        *SITE_PAGES,
    }


def _patterns() -> Iterator[URLPattern]:
    for entry in admin.site.get_urls():
        if isinstance(entry, URLPattern):
            yield entry
        elif isinstance(entry, URLResolver):
            yield from (each for each in entry.url_patterns if isinstance(each, URLPattern))


def test_every_model_with_a_page_is_written_here_or_is_the_truth() -> None:
    ours = {label for label, _, _ in pages() if not label.startswith("djstripe.")}
    assert not TRUTH & set(WRITTEN)
    assert ours == TRUTH | set(WRITTEN)


def test_only_known_actions_are_offered_above_a_list(company: Company) -> None:
    request = RequestFactory().get("/admin/")
    request.user = company.admin
    found = {label: set(site.get_actions(request)) for label, _, site in pages()}
    assert {label: names for label, names in found.items() if names} == {
        label: set(names) for label, names in LIST_ACTIONS.items()
    }


def test_only_known_rows_are_written_on_another_records_page(company: Company) -> None:
    request = RequestFactory().get("/admin/")
    request.user = company.admin
    found: dict[str, set[str]] = {}
    for label, model, site in pages():
        record = record_of(company, label, model)
        for inline in site.get_inline_instances(request, record):
            if (
                inline.has_add_permission(request, record)
                or inline.has_change_permission(request, record)
                or inline.has_delete_permission(request, record)
            ):
                found.setdefault(label, set()).add(inline.model._meta.label_lower)
    assert found == WRITTEN_INLINE


# What opens, and what a forged POST does ------------------------------------------------------
@pytest.mark.parametrize("role", list(StaffRole))
def test_a_role_opens_what_it_may_see(company: Company, role: StaffRole) -> None:
    person = staff_of(role)
    for label, model, _ in pages():
        sees = 200 if may_see(role, label) else 403
        assert ask(person, url_of(model, "changelist")) == sees, label
        adds = 200 if may_write(role, label, "add") else 403
        assert ask(person, url_of(model, "add")) == adds, label
        record = record_of(company, label, model)
        if record is None:
            continue
        deletes = 200 if may_write(role, label, "delete") else 403
        assert ask(person, url_of(model, "delete", record.pk)) == deletes, label
        # What is only read looks the same to all who see it: the auditor's will do.
        if role == StaffRole.AUDITOR or sees == 403 or label in WRITTEN:
            assert ask(person, url_of(model, "change", record.pk)) == sees, label
            assert ask(person, url_of(model, "history", record.pk)) == sees, label


@pytest.mark.parametrize("role", ROLES)
def test_a_forged_post_writes_only_what_the_role_may_write(
    company: Company, role: StaffRole | None
) -> None:
    person = staff_of(role)
    before = written_down()
    for label, model, site in pages():
        record = record_of(company, label, model)
        forged = {"amount": "1000000", "amount_0": "1000000", "status": "paid", "reason": "Mine"}
        adds = may_write(role, label, "add")
        assert (ask(person, url_of(model, "add"), forged) != 403) is adds, label
        if record is None:
            continue
        changes = may_write(role, label, "change")
        answer = ask(person, url_of(model, "change", record.pk), forged)
        assert (answer != 403) is changes, label
        for action in ("delete_selected", *LIST_ACTIONS.get(label, {}), "no_such_action"):
            if label in LIST_ACTIONS and may(role, LIST_ACTIONS[label].get(action, "")):
                continue
            sent = {"action": action, "_selected_action": record.pk, "post": "yes"}
            answer = ask(person, url_of(model, "changelist"), sent)
            if not may_see(role, label) or isinstance(site, ReadOnlyAdmin):
                assert answer == 403, (label, action)
        deletes = may_write(role, label, "delete")
        answer = ask(person, url_of(model, "delete", record.pk), {"post": "yes"})
        assert (answer != 403) is deletes, label
        assert model._default_manager.filter(pk=record.pk).exists() is not deletes, label
    assert written_down() == before


@pytest.mark.parametrize("role", list(StaffRole))
def test_an_action_is_for_whom_the_table_says(company: Company, role: StaffRole) -> None:
    person = staff_of(role)
    for name, permission in ACTIONS.items():
        address = _address_of(company, name)
        if may(role, permission):
            assert ask(person, address) in (200, 302), name
        else:
            assert ask(person, address) == 403, name
            assert ask(person, address, {"reason": "Mine", "note": "Mine"}) == 403, name


def _address_of(company: Company, name: str) -> str:
    label, model = next(
        (label, model)
        for label, model, _ in sorted(pages(), key=lambda page: -len(page[0]))
        if name.replace("auth_user", "accounts_user").startswith(label.replace(".", "_") + "_")
    )
    record = record_of(company, label, model)
    assert record is not None, label
    try:
        return reverse(f"admin:{name}", args=[record.pk])
    except NoReverseMatch:
        return reverse(f"admin:{name}")


# Nothing reaches the truth from behind --------------------------------------------------------
def test_deleting_what_it_belongs_to_does_not_reach_the_truth(company: Company) -> None:
    reached = [
        f"{label}.{field.name}"
        for label, model, _ in pages()
        for field in model._meta.get_fields()
        # What people come in with goes with them; what runs when is no truth about anybody.
        if label in TRUTH - {"account.emailaddress", "accounts.invitation", "mfa.authenticator"}
        and not label.startswith("django_celery_beat.")
        and isinstance(field, ForeignKey)
        and field.remote_field.on_delete is CASCADE
    ]
    assert reached == []
    for owner in (company.account, company.admin):
        with pytest.raises(ProtectedError):
            owner.delete()


def test_a_roles_page_says_in_words_what_it_may(company: Company) -> None:
    client = Client()
    client.force_login(company.admin)
    support = Group.objects.get(name=StaffRole.SUPPORT)
    page = client.get(url_of(Group, "change", support.pk)).content.decode()
    assert "<div>Can view the dashboard as a customer sees it</div>" in page


def test_a_page_that_is_not_for_the_role_says_so_in_staffs_words(company: Company) -> None:
    client = Client()
    client.force_login(staff_of(StaffRole.SUPPORT))
    page = client.get(url_of(Group, "changelist"))
    assert page.status_code == 403
    assert "Back to the support desk" in page.content.decode()
