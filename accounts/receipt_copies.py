"""Receipts also go to: more addresses that get each receipt and credit note, beside the contact."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import MAXIMUM_RECEIPT_COPIES, Account, AuditEvent, User

_LONGEST: Final = 254


@transaction.atomic
def change(
    *, account: Account, addresses: Iterable[str], by: User | None, now: datetime
) -> Account:
    """Send receipts to these addresses too, from the next one on; each once, whatever its case.

    Raises ValidationError for what is no address, and for more than MAXIMUM_RECEIPT_COPIES.
    """
    wanted = _checked(addresses)
    account = Account.objects.select_for_update(no_key=True).get(pk=account.pk)
    before = account.receipt_copies
    if before == wanted:
        return account
    account.receipt_copies = wanted
    account.save(update_fields=["receipt_copies"])
    AuditEvent.objects.create(
        account=account,
        actor=by,
        action="billing_details_changed",
        details={
            "before": {"receipt_copies": ", ".join(before)},
            "after": {"receipt_copies": ", ".join(wanted)},
        },
        created_at=now,
    )
    return account


def _checked(addresses: Iterable[str]) -> list[str]:
    distinct: dict[str, str] = {}
    for written in addresses:
        address = written.strip()
        if not address:
            continue
        try:
            validate_email(address)
        except ValidationError as error:
            raise ValidationError(
                _("%(address)s is no e-mail address.") % {"address": address[:100]}
            ) from error
        if len(address) > _LONGEST:
            raise ValidationError(_("%(address)s… is too long.") % {"address": address[:40]})
        distinct.setdefault(address.lower(), address)
    if len(distinct) > MAXIMUM_RECEIPT_COPIES:
        raise ValidationError(
            _("Enter at most %(count)s addresses.") % {"count": MAXIMUM_RECEIPT_COPIES}
        )
    return list(distinct.values())
