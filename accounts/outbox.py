"""The outbox: what is to be told is recorded with the change that causes it, and sent afterwards.

Recording happens inside the caller's transaction, so that a message exists exactly when its cause
does. Sending happens in the worker, outside any transaction, at least once: a worker that dies
between sending and noting it sends again, under the same Message-ID.
"""

from collections.abc import Mapping
from datetime import datetime

from accounts.models import Account, Message, MessageChannel
from accounts.notices import missing_from


def record_email(
    *,
    account: Account,
    event: str,
    key: str,
    context: Mapping[str, object],
    now: datetime,
    recipient: str = "",
) -> None:
    """Record that an e-mail is to be sent, once per `key`: say in it what the message is about.

    Call it inside the transaction of the change. `context` is JSON, shaped as notices.py says for
    `event`. Goes to the account's contact address unless `recipient` is given. Raises ValueError
    for an unknown event or an incomplete context.
    """
    payload = dict(context)
    if missing := missing_from(event, payload):
        raise ValueError(f"The notice {event} also needs {', '.join(sorted(missing))}.")
    _record(
        Message(
            account=account,
            channel=MessageChannel.EMAIL,
            event=event,
            key=key,
            recipient=recipient or account.contact_email,
            payload=payload,
            created_at=now,
            next_attempt_at=now,
        )
    )


def record_platform_event(
    *,
    account: Account,
    event: str,
    key: str,
    data: Mapping[str, object],
    now: datetime,
) -> None:
    """Record that the platform is to be told of `event` (`services.paused`), once per `key`.

    Call it inside the transaction of the change. `data` is JSON.
    """
    _record(
        Message(
            account=account,
            channel=MessageChannel.PLATFORM,
            event=event,
            key=key,
            payload=dict(data),
            created_at=now,
            next_attempt_at=now,
        )
    )


def _record(message: Message) -> None:
    # ON CONFLICT DO NOTHING: a change attempted twice at once must not fail for its message.
    Message.objects.bulk_create([message], ignore_conflicts=True)
