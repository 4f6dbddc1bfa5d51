"""The outbox: what is to be told is recorded with the change that causes it, and sent afterwards.

Recording happens inside the caller's transaction, so that a message exists exactly when its cause
does. Sending happens in the worker, outside any transaction, at least once: a worker that dies
between sending and noting it sends again, under the same Message-ID or webhook-id.
"""

import hashlib
import logging
import time
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from django.db import transaction

from accounts import delivery_log, emails, platform_webhooks
from accounts.emails import MailServerAway
from accounts.models import Account, AuditEvent, DeliveryAttempt, Message, MessageChannel, User
from accounts.notices import missing_from
from accounts.platform_webhooks import PlatformRefused, PlatformUnreachable

log = logging.getLogger(__name__)

#: How long a worker that claimed a message has it to itself.
LEASE = timedelta(minutes=5)
#: A run ends after this, well within the lease of what it claims last; the next tick goes on.
RUN_SECONDS = 120
#: How long to wait after each failed attempt: nearly three days in all, then it rests unsent.
BACKOFF = (
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    *(timedelta(hours=hours) for hours in (2, 5, 10, 14, 20, 20)),
)
MAXIMUM_ATTEMPTS = len(BACKOFF) + 1


def email(
    *,
    account: Account | None,
    event: str,
    key: str,
    context: Mapping[str, object],
    now: datetime,
    recipient: str = "",
) -> Message:
    """Return an e-mail to be recorded, once per `key`: say in it what the message is about.

    `context` is JSON, shaped as notices.py says for `event`. Goes to the account's contact address
    unless `recipient` is given; without an account it must be. Raises ValueError for an unknown
    event, an incomplete context or nobody to send it to.
    """
    payload = dict(context)
    if missing := missing_from(event, payload):
        raise ValueError(f"The notice {event} also needs {', '.join(sorted(missing))}.")
    if account is None and not recipient:
        raise ValueError(f"Nobody is told of {event}.")
    return Message(
        account=account,
        channel=MessageChannel.EMAIL,
        event=event,
        key=key,
        recipient=recipient or (account.contact_email if account else ""),
        payload=payload,
        created_at=now,
        next_attempt_at=now,
    )


def copies_of(message: Message) -> list[Message]:
    """Return a receipt once more for each address that its account wants receipts sent to, too.

    Each is a message of its own: one address that takes no mail holds back no other.
    """
    account = message.account
    known = {message.recipient.lower()}
    return [
        Message(
            account=account,
            channel=message.channel,
            event=message.event,
            key=f"{message.key}:{hashlib.sha256(address.encode()).hexdigest()[:16]}",
            recipient=address,
            payload={**message.payload, "is_copy": True},
            created_at=message.created_at,
            next_attempt_at=message.next_attempt_at,
        )
        for address in (account.receipt_copies if account else ())
        if address.lower() not in known
    ]


def platform_event(
    *,
    account: Account,
    event: str,
    key: str,
    data: Mapping[str, object],
    now: datetime,
) -> Message:
    """Return an event (`services.paused`) the platform is to be told of, once per `key`.

    `data` is JSON.
    """
    return Message(
        account=account,
        channel=MessageChannel.PLATFORM,
        event=event,
        key=key,
        payload=dict(data),
        created_at=now,
        next_attempt_at=now,
    )


def record(messages: Iterable[Message]) -> None:
    """Record messages in one statement. Call it inside the transaction of the change.

    What was recorded under the same key before stands: a change attempted twice at once must not
    fail for its message. Where no platform listens, nothing is kept for it.
    """
    Message.objects.bulk_create(
        [message for message in messages if _somebody_listens(message)], ignore_conflicts=True
    )


def record_email(
    *,
    account: Account | None,
    event: str,
    key: str,
    context: Mapping[str, object],
    now: datetime,
    recipient: str = "",
) -> None:
    """Record one e-mail; see email()."""
    message = email(
        account=account, event=event, key=key, context=context, now=now, recipient=recipient
    )
    record([message])


def record_platform_event(
    *,
    account: Account,
    event: str,
    key: str,
    data: Mapping[str, object],
    now: datetime,
) -> None:
    """Record one event for the platform; see platform_event()."""
    record([platform_event(account=account, event=event, key=key, data=data, now=now)])


def replay(*, messages: Iterable[Message], by: User, reason: str, now: datetime) -> int:
    """Have messages sent again, from their first attempt; return how many.

    Whether they were sent, wait or were given up. A receiver sees the same Message-ID or
    webhook-id as before. Events are left alone where no platform listens.
    """
    wanted = [message.pk for message in messages if _somebody_listens(message)]
    with transaction.atomic():
        again = list(Message.objects.filter(pk__in=wanted).select_for_update().order_by("pk"))
        AuditEvent.objects.bulk_create(
            AuditEvent(
                account_id=message.account_id,
                actor=by,
                action="message_replayed",
                reason=reason,
                details={
                    "message": message.pk,
                    "event": message.event,
                    "channel": message.channel,
                    "attempts": message.attempts,
                    "sent_at": message.sent_at.isoformat() if message.sent_at else None,
                },
                created_at=now,
            )
            for message in again
        )
        Message.objects.filter(pk__in=[message.pk for message in again]).update(
            attempts=0, next_attempt_at=now, sent_at=None, last_error=""
        )
    return len(again)


def _somebody_listens(message: Message) -> bool:
    return message.channel != MessageChannel.PLATFORM or platform_webhooks.is_listening()


def deliver_due(
    *, now: datetime, channel: MessageChannel = MessageChannel.EMAIL, limit: int = 100
) -> int:
    """Send what is due on a channel, at most `limit` messages, and return how many were sent.

    Any number of workers may run it at once: each message is claimed by one of them. A failure
    is noted on its message, which is tried again later, and holds back no other. Only when nobody
    answers at the mail server's or the platform's address does the run end: each other message
    would wait as long in vain, use up an attempt, and keep a worker from what moves money.
    """
    if channel == MessageChannel.PLATFORM and not platform_webhooks.is_listening():
        return 0
    started = time.monotonic()
    sent = 0
    for _ in range(limit):
        if time.monotonic() - started > RUN_SECONDS:
            break
        message = _claim_next(channel, now=now)
        if message is None:
            break
        error = _send(message, now=now)
        if error is None:
            sent += 1
        elif isinstance(error, MailServerAway | PlatformUnreachable):
            break
    return sent


def is_stalled(*, now: datetime, after: timedelta) -> bool:
    """Tell whether a message has been due for longer than `after`, and none was tried in that time.

    A long queue is worked off, an address that takes nothing is tried again: neither is stalled.
    """
    channels = [
        channel
        for channel in MessageChannel
        if channel != MessageChannel.PLATFORM or platform_webhooks.is_listening()
    ]
    due = Message.objects.filter(
        channel__in=channels,
        sent_at__isnull=True,
        next_attempt_at__lt=now - after,
        attempts__lt=MAXIMUM_ATTEMPTS,
    )
    tried = DeliveryAttempt.objects.filter(started_at__gte=now - after)
    return due.exists() and not tried.exists()


def _claim_next(channel: MessageChannel, *, now: datetime) -> Message | None:
    """Return the next due message of a channel, set aside for this worker until its lease ends.

    Committed before anything is sent: no row stays locked while a server takes its time. A
    worker that dies has used up an attempt, and the message is due again after the lease.
    """
    due = Message.objects.filter(
        channel=channel,
        sent_at__isnull=True,
        next_attempt_at__lte=now,
        attempts__lt=MAXIMUM_ATTEMPTS,
    )
    with transaction.atomic(durable=True):
        message = (
            due.select_for_update(skip_locked=True, of=("self",))
            .select_related("account")
            .order_by("next_attempt_at", "id")
            .first()
        )
        if message is None:
            return None
        message.attempts += 1
        message.next_attempt_at = now + LEASE
        message.save(update_fields=["attempts", "next_attempt_at"])
    return message


def _send(message: Message, *, now: datetime) -> Exception | None:
    """Send a claimed message and note the outcome; return what went wrong, if anything."""
    started = time.monotonic()
    status: int | None = None
    failure: Exception | None = None
    try:
        if message.channel == MessageChannel.PLATFORM:
            status = platform_webhooks.post(message, now=now)
        else:
            emails.send(message)
    except PlatformRefused as refusal:
        status, failure = refusal.status, refusal
    except Exception as error:  # noqa: BLE001
        # Whatever is wrong with one message, or with the mail server, the others go on.
        failure = error
    why = "" if failure is None else f"{type(failure).__name__}: {failure}"[:1000]
    this_one = Message.objects.filter(pk=message.pk, sent_at__isnull=True)
    with transaction.atomic(durable=True):
        if failure is None:
            this_one.update(sent_at=now, last_error="")
        else:
            retry_at = now + BACKOFF[min(message.attempts, len(BACKOFF)) - 1]
            this_one.update(last_error=why, next_attempt_at=retry_at)
        delivery_log.note(
            message=message,
            started_at=now,
            duration=timedelta(seconds=time.monotonic() - started),
            status=status,
            error=why,
        )
    if failure is not None:
        log.error(
            "Message %s could not be sent (attempt %s)",
            message.pk,
            message.attempts,
            exc_info=failure,
        )
    return failure
