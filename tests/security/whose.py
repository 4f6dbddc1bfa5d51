"""Whose each address and each call of the project is: the tables that the walks go by.

An address or a call that is in none of them fails the first tests of test_tenants.py: say here
whose things it shows.
"""

from collections.abc import Callable
from typing import Any

from tests.security.victim import Victim

#: The address names something of one customer: what of tenant A it is asked with.
OF_ONE_CUSTOMER: dict[str, Callable[[Victim], dict[str, Any]]] = {
    "usage-record": lambda victim: {"pk": victim.record.pk},
    "payment-method-default": lambda victim: {"pk": victim.card.pk},
    "payment-method-remove": lambda victim: {"pk": victim.card.pk},
    "billing-history-detail": lambda victim: {"number": victim.paid.number},
    "billing-history-check": lambda victim: {"number": victim.page.number},
    "billing-history-receipt": lambda victim: {"number": victim.paid.number},
    "billing-history-credit-note": lambda victim: {
        "number": victim.paid.number,
        "credit_note_number": victim.refund.credit_note_number,
    },
    "payment-confirm": lambda victim: {"number": victim.failed.number},
    "payment-confirm-decline": lambda victim: {"number": victim.failed.number},
    "member-role": lambda victim: {"pk": victim.member.pk},
    "member-remove": lambda victim: {"pk": victim.member.pk},
    "invitation-resend": lambda victim: {"pk": victim.invitation.pk},
    "invitation-revoke": lambda victim: {"pk": victim.invitation.pk},
    "api-key-revoke": lambda victim: {"pk": victim.key.pk},
    "mfa_remove_webauthn": lambda victim: {"pk": victim.authenticator.pk},
    "mfa_edit_webauthn": lambda victim: {"pk": victim.authenticator.pk},
}
#: Shows and changes the account that the session says, and which of one's own that is.
OF_ONES_OWN_ACCOUNT = {
    "activity",
    "api-key-create",
    "api-keys",
    "auto-refill",
    "billing-details",
    "billing-history",
    "billing-history-export",
    "billing-overview",
    "billing-settings",
    "choose-plan",
    "credit",
    "credit-export",
    "credit-statement-csv",
    "credit-statement-pdf",
    "credit-statements",
    "low-balance",
    "member-invite",
    "member-leave",
    "members",
    "payment-method-add",
    "payment-method-setup-intent",
    "payment-methods",
    "plan",
    "plan-cancel",
    "plan-keep",
    "receipt-copies",
    "renewal-pay-now",
    "rental",
    "rental-keep",
    "spend-cap",
    "switch-account",
    "time-and-language",
    "top-up",
    "top-up-return",
    "usage",
    "usage-history",
    "usage-history-export",
}
#: Is about who is signed in, and nobody else.
OF_ONESELF = {
    "account_change_password",
    "account_confirm_login_code",
    "account_email",
    "account_email_verification_sent",
    "account_inactive",
    "account_login",
    "account_logout",
    "account_reauthenticate",
    "account_reset_password",
    "account_reset_password_done",
    "account_reset_password_from_key_done",
    "account_set_password",
    "account_signup",
    "change-email",
    "language",
    "mfa_activate_totp",
    "mfa_add_webauthn",
    "mfa_authenticate",
    "mfa_deactivate_totp",
    "mfa_download_recovery_codes",
    "mfa_generate_recovery_codes",
    "mfa_index",
    "mfa_list_webauthn",
    "mfa_reauthenticate",
    "mfa_reauthenticate_webauthn",
    "mfa_view_recovery_codes",
    "set-language",
    "sign-in",
    "/accounts/email/",
}
#: Is behind a secret link that was mailed to one person: tested one by one below.
BEHIND_A_LINK = {
    "account_confirm_email",
    "account_reset_password_from_key",
    "confirm-email",
    "invitation",
}
#: Says nothing of any customer. Stripe's events and the figures of operation are signed or closed.
OF_NOBODY = {
    "/",
    "api-docs",
    "api-schema",
    "healthz",
    "metrics",
    "readyz",
    "stripe-webhook",
    "/api/^v1/.*$",
}
#: Is there only while no mail server is set: test_settings and test_mailbox say so.
ON_A_LAPTOP = {"mailbox", "mailbox-attachment", "mailbox-html", "mailbox-letter"}

#: Each call of the API: whether a key of one customer may ask it, and about what.
CALLS = {
    "list_accounts": "own",
    "retrieve_account": "named",
    "authorize": "named",
    "list_entries": "named",
    "list_transactions": "named",
    "list_usage": "named",
    "list_allowances": "named",
    "list_rentals": "named",
    "preview_rental": "named",
    "list_plans": "catalogue",
    "list_features": "catalogue",
    "provision_account": "refused",
    "change_account": "refused",
    "set_rental": "refused",
    "report_usage": "refused",
}
