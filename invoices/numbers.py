"""Numbers that people read out: random for what is asked of Stripe, gapless for papers."""

import secrets

from invoices.models import ReceiptSequence

#: No 0/O and 1/I: a customer reads the number out on the phone.
_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"


def new_number(prefix: str) -> str:
    """Return a new number, such as `T-7K3M-9QWX` for a transaction.

    Random rather than counted: it is in addresses and tells nobody how much is sold, and it is
    the idempotency key at Stripe, which must not repeat after a database is made anew.
    """
    letters = "".join(secrets.choice(_ALPHABET) for _ in range(8))
    return f"{prefix}-{letters[:4]}-{letters[4:]}"


def next_in_sequence(prefix: str) -> str:
    """Return the next number of a sequence, such as `BT-000042`; a rollback gives it back: no gaps.

    Call it last in a transaction, for its lock is everybody's: whoever waits for it waits for as
    little as can be.
    """
    ReceiptSequence.objects.get_or_create(prefix=prefix)
    sequence = ReceiptSequence.objects.select_for_update().get(prefix=prefix)
    sequence.last_number += 1
    sequence.save(update_fields=["last_number"])
    return f"{prefix}-{sequence.last_number:06d}"
