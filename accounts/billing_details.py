"""Billing details: who receipts name, where they go, the country that decides on tax."""

from collections.abc import Mapping
from datetime import datetime
from zoneinfo import available_timezones

from django.core.exceptions import ValidationError
from django.db import transaction as database
from django.utils.translation import gettext as _

from accounts.models import Account, AuditEvent, User

#: What a receipt says of the customer, and where it goes.
ON_RECEIPTS = (
    "billing_name",
    "address_line1",
    "address_line2",
    "city",
    "country",
    "tax_number",
    "receipt_email",
)
#: What a customer may change: of receipts, and how times and e-mails are written.
FIELDS = (*ON_RECEIPTS, "timezone", "language")


@database.atomic
def change(
    *, account: Account, details: Mapping[str, str], by: User | None, now: datetime
) -> Account:
    """Set `details`; receipts of what was paid before stay as they are.

    Another country changes the tax of what is bought from now on; another timezone, in which zone
    days begin, those that have passed too. Raises ValidationError, by field, for what is none of
    FIELDS, no country, no timezone, no language, or no e-mail address.
    """
    unknown = details.keys() - set(FIELDS)
    if unknown:
        raise ValidationError(dict.fromkeys(sorted(unknown), _("This can't be changed here.")))
    if details.get("timezone", "UTC") not in available_timezones():
        raise ValidationError({"timezone": _("Choose a timezone of the list.")})
    account = Account.objects.select_for_update(no_key=True).get(pk=account.pk)
    before = {field: str(getattr(account, field)) for field in details}
    after = {field: " ".join(value.split()) for field, value in details.items()}
    changed = [field for field in details if before[field] != after[field]]
    if not changed:
        return account
    for field in changed:
        if not after[field].isprintable():
            raise ValidationError({field: _("Enter text that can be printed.")})
        setattr(account, field, after[field])
    account.clean_fields(exclude={f.name for f in Account._meta.fields} - set(changed))
    account.save(update_fields=changed)
    AuditEvent.objects.create(
        account=account,
        actor=by,
        action="billing_details_changed",
        details={
            "before": {field: before[field] for field in changed},
            "after": {field: after[field] for field in changed},
        },
        created_at=now,
    )
    return account
