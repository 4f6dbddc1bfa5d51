"""Numbers that people read out: random for what is asked of Stripe, gapless for papers."""

import secrets

from django.db import connection

#: No 0/O and 1/I: a customer reads the number out on the phone.
_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"

_NEXT = """
INSERT INTO invoices_receiptsequence AS sequence (prefix, last_number) VALUES (%s, 1)
ON CONFLICT (prefix) DO UPDATE SET last_number = sequence.last_number + 1
RETURNING last_number
"""


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
    with connection.cursor() as cursor:
        cursor.execute(_NEXT, [prefix])
        [number] = cursor.fetchone()
    return f"{prefix}-{number:06d}"
