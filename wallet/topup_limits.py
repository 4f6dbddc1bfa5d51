"""How many top-ups a customer may start in an hour, paid or not.

Whoever took over somebody's session would have each saved card charged, or test what the bank
says of amounts, for as long as it goes unnoticed. Rows are counted, not a cache: the count is the
same in every process, and a restart forgets nothing.
"""

from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from accounts.models import Account
from invoices.models import Purpose, Transaction

log = structlog.get_logger(__name__)

WINDOW = timedelta(hours=1)


class TooManyTopUps(ValidationError):
    """The account has started as many as it may in an hour."""


def check(*, account: Account, now: datetime) -> None:
    """Let one more top-up be started. Raises TooManyTopUps."""
    started = Transaction.objects.filter(
        account=account, purpose=Purpose.TOP_UP, created_at__gt=now - WINDOW
    )
    if started.count() < settings.TOP_UPS_PER_HOUR:
        return
    log.warning("top_up_refused", account=str(account.pk))
    raise TooManyTopUps(
        _("Too many top-ups were started. Wait an hour, or write to %(email)s.")
        % {"email": settings.SELLER["email"]}
    )
