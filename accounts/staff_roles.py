"""What staff may do: the one table of roles. Each role is a Django group that equals its column.

`migrate` makes the groups and brings them to this table (`accounts/staff_groups.py`), so a new
permission is a line here and nothing more. Models are named by their labels, for those of the
layers to the right are not known here.
"""

from django.db import models


class StaffRole(models.TextChoices):
    """A role of staff; its value is the group's name."""

    SUPPORT = "Support"
    FINANCE = "Finance"
    AUDITOR = "Auditor"
    ADMINISTRATOR = "Administrator"


# Who has a permission. Administrators have each, and auditors are among the first three only.
EVERYBODY = frozenset(StaffRole)
#: The books and what Stripe says of them.
FINANCE_AND_AUDITORS = EVERYBODY - {StaffRole.SUPPORT}
#: What runs the portal.
AUDITORS = frozenset({StaffRole.AUDITOR, StaffRole.ADMINISTRATOR})
#: From here on something changes.
SUPPORT_AND_FINANCE = EVERYBODY - {StaffRole.AUDITOR}
FINANCE = frozenset({StaffRole.FINANCE, StaffRole.ADMINISTRATOR})
ADMINISTRATORS = frozenset({StaffRole.ADMINISTRATOR})

PERMISSIONS: dict[str, frozenset[StaffRole]] = {
    # Customers
    "accounts.view_account": EVERYBODY,
    "accounts.change_account": ADMINISTRATORS,
    "accounts.view_membership": EVERYBODY,
    "accounts.add_membership": ADMINISTRATORS,
    "accounts.view_as_customer": SUPPORT_AND_FINANCE,
    "accounts.add_note": SUPPORT_AND_FINANCE,
    "accounts.lock_services": SUPPORT_AND_FINANCE,
    "accounts.end_sessions": SUPPORT_AND_FINANCE,
    "accounts.view_invitation": EVERYBODY,
    "accounts.view_card": EVERYBODY,
    "accounts.view_cardattempt": EVERYBODY,
    "accounts.view_user": EVERYBODY,
    "accounts.add_user": ADMINISTRATORS,
    "accounts.change_user": ADMINISTRATORS,
    "account.view_emailaddress": EVERYBODY,
    "plans.view_subscription": EVERYBODY,
    "plans.change_subscription": FINANCE,
    "plans.extend_grace": SUPPORT_AND_FINANCE,
    "plans.reset_usage_cycle": FINANCE,
    "plans.view_planchange": EVERYBODY,
    "plans.view_renewal": EVERYBODY,
    "plans.view_rental": EVERYBODY,
    "plans.change_rental": FINANCE,
    # Money
    "invoices.view_transaction": EVERYBODY,
    "invoices.export_transactions": FINANCE_AND_AUDITORS,
    "invoices.ask_stripe": SUPPORT_AND_FINANCE,
    "invoices.retry_transaction": FINANCE,
    "invoices.view_refund": EVERYBODY,
    "invoices.export_refunds": FINANCE_AND_AUDITORS,
    "invoices.add_refund": FINANCE,
    "invoices.view_dispute": EVERYBODY,
    "invoices.view_reconciliationrun": FINANCE_AND_AUDITORS,
    "invoices.view_reconciliationfinding": FINANCE_AND_AUDITORS,
    "invoices.change_reconciliationfinding": FINANCE,
    "billing_portal.view_businessday": FINANCE_AND_AUDITORS,
    "billing_portal.view_auditreport": FINANCE_AND_AUDITORS,
    "wallet.view_wallet": EVERYBODY,
    "wallet.view_entry": EVERYBODY,
    "wallet.export_entries": FINANCE_AND_AUDITORS,
    "wallet.read_month_end": FINANCE_AND_AUDITORS,
    "wallet.view_adjustment": EVERYBODY,
    "wallet.add_adjustment": SUPPORT_AND_FINANCE,
    "wallet.reverse_adjustment": FINANCE,
    "wallet.view_approvalrequest": EVERYBODY,
    "wallet.decide_approval": FINANCE,
    "wallet.ask_for_refund": SUPPORT_AND_FINANCE,
    "wallet.view_autorefill": EVERYBODY,
    "wallet.view_autorefillconsent": EVERYBODY,
    # Catalogue
    "plans.view_feature": EVERYBODY,
    "plans.add_feature": ADMINISTRATORS,
    "plans.change_feature": ADMINISTRATORS,
    "plans.view_plan": EVERYBODY,
    "plans.add_plan": ADMINISTRATORS,
    "plans.change_plan": ADMINISTRATORS,
    "plans.archive_plan": ADMINISTRATORS,
    "plans.view_planversion": EVERYBODY,
    "plans.add_planversion": ADMINISTRATORS,
    "plans.change_planversion": ADMINISTRATORS,
    "plans.publish_planversion": ADMINISTRATORS,
    "plans.view_featureprice": EVERYBODY,
    "plans.view_pricetier": EVERYBODY,
    "plans.view_subscribermove": EVERYBODY,
    # Usage
    "plans.view_usagerecord": EVERYBODY,
    "plans.view_allowance": EVERYBODY,
    # What was recorded and sent
    "accounts.view_auditevent": EVERYBODY,
    "accounts.view_message": EVERYBODY,
    "accounts.change_message": SUPPORT_AND_FINANCE,
    "accounts.view_deliveryattempt": EVERYBODY,
    # Who and what is let in
    "accounts.view_apikey": EVERYBODY,
    "accounts.add_apikey": ADMINISTRATORS,
    "accounts.change_apikey": ADMINISTRATORS,
    "accounts.manage_staff": ADMINISTRATORS,
    "accounts.remove_second_factor": ADMINISTRATORS,
    "auth.view_group": AUDITORS,
    "mfa.view_authenticator": AUDITORS,
    # What runs
    "billing_portal.view_heartbeat": AUDITORS,
    "django_celery_beat.view_periodictask": AUDITORS,
    "django_celery_beat.change_periodictask": ADMINISTRATORS,
    "django_celery_beat.view_intervalschedule": AUDITORS,
    "django_celery_beat.view_crontabschedule": AUDITORS,
    # Stripe's objects
    "djstripe.view_account": FINANCE_AND_AUDITORS,
    "djstripe.view_balancetransaction": FINANCE_AND_AUDITORS,
    "djstripe.view_charge": FINANCE_AND_AUDITORS,
    "djstripe.view_customer": FINANCE_AND_AUDITORS,
    "djstripe.view_dispute": FINANCE_AND_AUDITORS,
    "djstripe.view_event": FINANCE_AND_AUDITORS,
    "djstripe.view_paymentintent": FINANCE_AND_AUDITORS,
    "djstripe.view_paymentmethod": FINANCE_AND_AUDITORS,
    "djstripe.view_refund": FINANCE_AND_AUDITORS,
    "djstripe.view_session": FINANCE_AND_AUDITORS,
    "djstripe.view_setupintent": FINANCE_AND_AUDITORS,
    "djstripe.view_webhookendpoint": AUDITORS,
    "djstripe.view_webhookeventtrigger": AUDITORS,
}

_HAS_NO_PAGE = "It has no page: what matters of it is shown with what it belongs to."
_IS_WRITTEN_BY_SERVICES = "Services write it, with their rules; staff ask for that by an action."

#: What Django makes of each model and nobody is given, with why. Patterns; the table goes first.
#: A permission that a model declares itself is never covered here: it belongs into the table.
GIVEN_TO_NOBODY: dict[str, str] = {
    "*.delete_*": "Nothing is deleted: others refer to it. What ends is switched off or revoked.",
    "djstripe.*": "What Stripe has is changed at Stripe, and most of it has no page here.",
    "accounts.add_*": _IS_WRITTEN_BY_SERVICES,
    "accounts.change_*": _IS_WRITTEN_BY_SERVICES,
    "invoices.add_*": _IS_WRITTEN_BY_SERVICES,
    "invoices.change_*": _IS_WRITTEN_BY_SERVICES,
    "wallet.add_*": _IS_WRITTEN_BY_SERVICES,
    "wallet.change_*": _IS_WRITTEN_BY_SERVICES,
    "plans.add_*": _IS_WRITTEN_BY_SERVICES,
    "plans.change_*": _IS_WRITTEN_BY_SERVICES,
    "billing_portal.add_*": _IS_WRITTEN_BY_SERVICES,
    "billing_portal.change_*": _IS_WRITTEN_BY_SERVICES,
    "accounts.view_idempotentrequest": _HAS_NO_PAGE,
    "invoices.view_line": _HAS_NO_PAGE,
    "invoices.view_paymentquestion": _HAS_NO_PAGE,
    "invoices.view_receiptsequence": _HAS_NO_PAGE,
    "invoices.view_seenpayment": _HAS_NO_PAGE,
    "plans.view_dailyspend": _HAS_NO_PAGE,
    "plans.view_spendprogress": _HAS_NO_PAGE,
    "plans.view_workspace": _HAS_NO_PAGE,
    "account.*_emailaddress": "People change their address themselves; the mailbox confirms it.",
    "account.*_emailconfirmation": "The portal confirms addresses in its own way.",
    "mfa.*_authenticator": "A second factor is its person's own.",
    "auth.*_group": "Roles are written in this table.",
    "auth.*_permission": "Permissions are written in the models.",
    "admin.*_logentry": "Django's own note of an edit; the audit events tell more.",
    "contenttypes.*": "Django's own list of models.",
    "sessions.*": "Who has a session's key is that person.",
    "django_celery_beat.add_*": "The jobs come with the portal's migrations.",
    "django_celery_beat.change_*schedule": "Jobs share them: a job is given another one.",
    "django_celery_beat.*_clockedschedule": "Nothing here runs once at an hour that was chosen.",
    "django_celery_beat.*_solarschedule": "Nothing here runs by the sun.",
    "django_celery_beat.*_periodictasks": "Beat's own note of when the schedule changed.",
}


def permissions_of(role: StaffRole) -> list[str]:
    """Return the role's permissions, as `has_perm` wants them."""
    return sorted(name for name, roles in PERMISSIONS.items() if role in roles)
