"""The mail server of a run: away for hours, busy, or gone when it has taken an e-mail."""

import smtplib
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum

from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from django.db.models import QuerySet

from accounts.models import Message, MessageChannel
from accounts.outbox import MAXIMUM_ATTEMPTS
from simulation.chance import Chance
from simulation.checks import Broken
from simulation.clock import Clock
from simulation.processes import Processes


class MailFault(StrEnum):
    """What may befall an e-mail on its way."""

    AWAY = "the mail server was away for a while"
    BUSY = "the mail server wanted an e-mail later"
    UNANSWERED = "the mail server took an e-mail and did not say so"


class MailServer:
    """Takes e-mails, and remembers which."""

    #: The one that e-mails of this process go to.
    current: "MailServer"

    def __init__(self, chance: Chance, clock: Clock, processes: Processes, *, rate: float) -> None:
        self.rate = rate
        self.counts: Counter[MailFault] = Counter()
        #: How often each was taken, by its Message-ID.
        self.taken: Counter[str] = Counter()
        self._chance = chance
        self._clock = clock
        self._processes = processes
        self._back_at = clock.true
        MailServer.current = self

    def take(self, email: EmailMessage) -> None:
        """Take an e-mail, or let happen what happens to it."""
        self._processes.step()
        if self._clock.true >= self._back_at and self._chance.happens(self.rate / 4):
            self.counts[MailFault.AWAY] += 1
            self._back_at = self._clock.true + timedelta(hours=self._chance.one_of((1, 4, 20)))
        if self._clock.true < self._back_at:
            raise ConnectionRefusedError("The mail server is away.")
        if self._chance.happens(self.rate / 2):
            self.counts[MailFault.BUSY] += 1
            raise smtplib.SMTPDataError(451, b"Try again later.")
        self.taken[email.extra_headers["Message-ID"]] += 1
        if self._chance.happens(self.rate / 2):
            self.counts[MailFault.UNANSWERED] += 1
            raise smtplib.SMTPServerDisconnected("Connection unexpectedly closed.")
        self._processes.step()

    def heal(self) -> None:
        """Be there from now on."""
        self.rate = 0
        self._back_at = self._clock.true

    def has_everything(self) -> bool:
        """Whether nothing waits to be sent any more."""
        return not self._messages().filter(sent_at=None, attempts__lt=MAXIMUM_ATTEMPTS).exists()

    def check(self) -> None:
        """In the end each recorded e-mail was sent, and nothing else was. Raises Broken."""
        sent = set(self._messages().exclude(sent_at=None).values_list("pk", flat=True))
        known = set(self._messages().values_list("pk", flat=True))
        # <message-17@portal.example>
        taken = {int(name.removeprefix("<message-").partition("@")[0]) for name in self.taken}
        if not self.has_everything():
            raise Broken("E-mails still wait to be sent in the end.")
        if missing := sent - taken:
            raise Broken(f"Noted as sent, and the mail server has never seen them: {missing}")
        if strangers := taken - known:
            raise Broken(f"Sent, and never recorded: {strangers}")

    @staticmethod
    def _messages() -> QuerySet[Message]:
        return Message.objects.filter(channel=MessageChannel.EMAIL)


class Backend(BaseEmailBackend):
    """Django's way to the mail server."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Hand them over, one by one."""
        for email in email_messages:
            MailServer.current.take(email)
        return len(email_messages)
