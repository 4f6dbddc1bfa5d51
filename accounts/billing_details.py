"""Billing details: who receipts name, where they go, and the country that decides on tax."""

from collections.abc import Mapping
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction as database
from django.utils.translation import gettext as _

from accounts.models import Account, AuditEvent, User

#: What a customer may change of it.
FIELDS = (
    "billing_name",
    "address_line1",
    "address_line2",
    "city",
    "country",
    "tax_number",
    "receipt_email",
)


@database.atomic
def change(
    *, account: Account, details: Mapping[str, str], by: User | None, now: datetime
) -> Account:
    """Set `details`; receipts of what was paid before stay as they are.

    Another country changes the tax of what is bought from now on. Raises ValidationError, by
    field, for what is none of FIELDS, no country, or no e-mail address.
    """
    unknown = details.keys() - set(FIELDS)
    if unknown:
        raise ValidationError(dict.fromkeys(sorted(unknown), "This can't be changed here."))
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
