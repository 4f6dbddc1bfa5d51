"""Names that are more than names: whatever a customer is called, it is text wherever it comes out.

What comes in over a form or the API is refused where it can't be printed; what is in the database
all the same, from wherever, fetches nothing, is no markup and no formula, and ends in time.
"""

import csv
import faulthandler
import io
import re
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import openpyxl
import pytest
from django.core import mail
from django.core.mail import EmailMultiAlternatives
from django.test import Client
from django.urls import reverse
from django.utils import timezone, translation
from pypdf import PdfReader

from accounts import outbox
from accounts.models import Account, AuditEvent, Message, User
from accounts.stripe_objects import RefundOutcome, StripeRefund
from accounts.tests.factories import make_card
from accounts.tests.test_notices import EXAMPLES
from billing_portal.dashboard.tests import scenes
from billing_portal.tests.test_admin_exports import PAGES as EXPORT_PAGES
from invoices import credit_notes, receipts, refund_settlement
from invoices.models import Refund, Status, Transaction
from invoices.tests.factories import LineSpec, make_transaction
from plans import usage
from plans.tests.api_client import Platform
from plans.tests.factories import make_record
from wallet import ledger
from wallet.models import EntryKind

if TYPE_CHECKING:
    from conftest import Sandbox

pytestmark = pytest.mark.django_db

#: So long may a document take before the test says where it hangs. None takes a tenth of it.
PATIENCE_SECONDS = 120


#: Said by the test itself, after everything else.
LAST = b"that was all"


class Listener:
    """A web server that somebody would like a document to ask; it notes that it was."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.asked: list[bytes] = []
        self.thread = threading.Thread(target=self._listen, daemon=True)
        self.thread.start()

    def _listen(self) -> None:
        while True:
            connection, _ = self.socket.accept()
            with connection:
                asked = connection.recv(200)
            if asked == LAST:
                return
            self.asked.append(asked)

    def heard(self) -> list[bytes]:
        """Stop, and return what was asked until now: a connection waits until it is accepted."""
        with socket.create_connection(("127.0.0.1", self.port)) as last:
            last.sendall(LAST)
        self.thread.join()
        self.socket.close()
        return self.asked


@pytest.fixture
def listener() -> Iterator[Listener]:
    faulthandler.dump_traceback_later(PATIENCE_SECONDS, exit=True)
    listener = Listener()
    yield listener
    if listener.thread.is_alive():
        listener.heard()
    faulthandler.cancel_dump_traceback_later()


def test_the_listener_would_hear_it(listener: Listener) -> None:
    """Else the examples below would prove nothing."""
    with socket.create_connection(("127.0.0.1", listener.port)) as connection:
        connection.sendall(b"GET /x")
    assert listener.heard() == [b"GET /x"]


def hostile(port: int) -> list[str]:
    """What somebody may be called. Each begins differently: as markup, as a formula, as nothing."""
    there = f"http://127.0.0.1:{port}/x"
    return [
        f"<img src={there}>",
        f"<link rel=stylesheet href={there}><style>@import url({there});</style>",
        f'"><script src={there}></script><iframe src="{there}">',
        f"<p style=\"background:url('{there}')\">x</p>",
        f"<pdf:nextpage><pdf:barcode value=x><object data={there}>",
        "{{ settings.SECRET_KEY }}{% debug %}%(x)s%n",
        "=cmd|' /C calc'!A0",
        f'@SUM(1+1)*HYPERLINK("{there}")',
        "+1+1",
        "\u202egnp.exe\u202c\u200f\u2066",
        "a\u2028b\u0085c\x1b[31m\x07",
        "&#x3c;script&#x3e;&lt;b&gt;",
    ]


@dataclass(frozen=True)
class Trader:
    """A customer whose every text is hostile, and its owner's browser."""

    account: Account
    paid: Transaction
    client: Client

    def fetch(self, name: str, **kwargs: Any) -> bytes:
        """Return a file or a page of the dashboard."""
        answer = self.client.get(reverse(name, kwargs=kwargs))
        assert answer.status_code == 200, name
        return b"".join(answer)


PAGES_OF_THE_DASHBOARD = (
    "activity",
    "billing-history",
    "billing-overview",
    "billing-settings",
    "credit",
    "members",
    "payment-methods",
    "usage",
    "usage-history",
)


# What comes in -------------------------------------------------------------------------------
UNPRINTABLE = {
    "NUL": "Sohar\x00Logistics",
    "right to left": "\u202eevil",
    "a line": "Sohar\r\nBcc: everybody@test",
    "an escape": "\x1b[2J",
    "half a character": "\ud800",
    "too long": "x" * 10_000,
}


@pytest.mark.parametrize("name", UNPRINTABLE.values(), ids=UNPRINTABLE)
def test_a_name_that_can_t_be_printed_is_refused_with_its_field(name: str) -> None:
    platform = Platform()
    account = scenes.make_company(name="Sohar Logistics")
    owner = scenes.make_member(account)
    client = Client()
    client.force_login(owner)

    changed = platform.send("PATCH", f"accounts/{account.pk}/", {"name": name})
    sent = {"external_id": name, "name": name, "owner_email": "a@sohar.test"}
    made = platform.send("POST", "accounts/", sent)
    typed = name.replace("\ud800", "\x01")  # a browser can't send it
    form = client.post(reverse("billing-details"), {"billing_name": typed, "country": "OM"})
    key = client.post(reverse("api-key-create"), {"name": typed, "request_key": "1"})

    assert (changed.status_code, set(changed.json()["fields"])) == (400, {"name"})
    assert made.status_code == 400
    assert {"name", "external_id"} <= set(made.json()["fields"])
    assert key.status_code == 422
    # White space is made one blank; anything else is said to be wrong.
    assert (form.status_code, "\r" in name) in {(422, False), (302, True)}
    account.refresh_from_db()
    assert account.name == "Sohar Logistics"
    assert account.billing_name in ("", "Sohar Bcc: everybody@test")


# What comes out -------------------------------------------------------------------------------
@pytest.fixture
def texts(listener: Listener) -> list[str]:
    return hostile(listener.port)


@pytest.fixture
def trader(texts: list[str]) -> Trader:
    return make_trader(texts)


def make_trader(texts: list[str]) -> Trader:
    """Make a customer with a hostile text in each place that has one, all of them in its lines."""
    now = timezone.now()
    account = scenes.make_company(name=texts[0], balance="20")
    places = ("billing_name", "address_line1", "address_line2", "city", "tax_number")
    limits = (200, 200, 200, 100, 50)
    written = {
        place: text[:limit] for place, text, limit in zip(places, texts, limits, strict=False)
    }
    Account.objects.filter(pk=account.pk).update(**written)
    account.refresh_from_db()
    owner = scenes.make_member(account, email="owner@sohar.test", first_name=texts[2][:150])
    make_card(account, is_default=True, holder_name=texts[1])
    scenes.start_plan(account, "payg", at=now - timedelta(days=1))
    lines = [LineSpec(description=text, amount=Decimal(5)) for text in texts]
    paid = scenes.pay(
        make_transaction(account, status=Status.PROCESSING, lines=lines, created_at=now), now=now
    )
    report = StripeRefund(
        id="re_hostile",
        outcome=RefundOutcome.SUCCEEDED,
        payment_intent_id=paid.stripe_payment_intent_id,
        amount_minor=3850,
        currency="omr",
    )
    refund_settlement.settle(transaction_id=paid.pk, report=report, now=now)
    for number, text in enumerate(texts):
        make_transaction(
            account, status=Status.FAILED, lines=lines[number : number + 1], failure_message=text
        )
        ledger.post(
            account_id=account.pk,
            kind=EntryKind.REFUND,
            amount=Decimal(1),
            description=text,
            now=now,
        )
        AuditEvent.objects.create(
            account=account,
            actor=owner,
            action="member_invited",
            reason=text,
            details={"member": text, "role": text},
            created_at=now,
        )
    usage.record(
        records=[
            make_record(account, "3", occurred_at=now, description=t, workspace=t, source=t)
            for t in texts
        ],
        now=now,
    )
    client = Client()
    client.force_login(owner)
    return Trader(account, paid, client)


def seen(text: str) -> str:
    """What is left of a text on paper: no blanks, nothing invisible, nothing no font has."""
    return re.sub(r"[^!-~]", "", text)


def on_paper(content: bytes) -> str:
    return seen("".join(page.extract_text() for page in PdfReader(io.BytesIO(content)).pages))


def test_documents_print_it_and_fetch_nothing(
    trader: Trader, texts: list[str], listener: Listener
) -> None:
    printed = on_paper(receipts.render(trader.paid))
    for text in texts:
        assert seen(text) in printed, text
    refund = Refund.objects.get(transaction=trader.paid)
    assert seen(texts[0]) in on_paper(credit_notes.render(refund))
    month = timezone.now().astimezone(trader.account.timezone).date().replace(day=1)
    assert seen(texts[0]) in on_paper(trader.fetch("credit-statement-pdf", month=month))
    with translation.override("ar"):
        assert receipts.render(trader.paid).startswith(b"%PDF")
    assert listener.heard() == []


def test_a_name_of_ten_thousand_letters_is_drawn(trader: Trader, listener: Listener) -> None:
    """It may not come in; what an older release let in does not stop a receipt."""
    letters = "Very" * 2_500
    transaction = trader.paid
    transaction.billed_to = {**transaction.billed_to, "name": letters, "city": f"<b>{letters}"}
    printed = on_paper(receipts.render(transaction))
    assert printed.count("Very") > 2 * 2_450  # a page ends within some of them
    assert listener.heard() == []


def test_no_cell_of_a_file_is_a_formula(trader: Trader, texts: list[str]) -> None:
    month = timezone.now().astimezone(trader.account.timezone).date().replace(day=1)
    files = [
        trader.fetch("billing-history-export"),
        trader.fetch("credit-export"),
        trader.fetch("usage-history-export"),
        trader.fetch("credit-statement-csv", month=month),
    ]
    staff = Client()
    staff.force_login(User.objects.create_superuser("admin@badal.test"))
    for page in EXPORT_PAGES.values():
        files.append(b"".join(staff.post(page, {"format": "csv"})))
        book = openpyxl.load_workbook(io.BytesIO(b"".join(staff.post(page, {"format": "xlsx"}))))
        for sheet in book.worksheets:
            for cell in (cell for row in sheet.iter_rows() for cell in row):
                assert cell.data_type != "f"
                assert cell.hyperlink is None
                if isinstance(cell.value, str):
                    assert_no_formula(cell.value)
    everything = ""
    for file in files:
        for row in csv.reader(io.StringIO(file.decode())):
            for written in row:
                assert_no_formula(written)
                everything += written
    for text in texts:
        assert text.splitlines()[0] in everything, text


def assert_no_formula(cell: str) -> None:
    """Whatever begins as a formula does is a plain number."""
    if cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n")):
        Decimal(cell)


#: What of the texts is in a page only where it came out as markup.
AS_MARKUP = re.compile(
    r"<(img|script) src=http|<link rel=stylesheet href=http|<(iframe|object|style)\b|<pdf:|<p style"
)


def test_pages_show_it_as_text(trader: Trader, sandbox: "Sandbox") -> None:
    shown = 0
    for page in PAGES_OF_THE_DASHBOARD:
        html = trader.fetch(page).decode()
        assert not AS_MARKUP.search(html), page
        shown += html.count("&lt;img src=http")
    assert shown > 10
    staff = Client()
    staff.force_login(User.objects.create_superuser("admin@badal.test"))
    account = trader.account.pk
    for path in (
        reverse("admin:accounts_account_change", args=[account]),
        reverse("admin:accounts_account_changelist"),
        reverse("admin:invoices_transaction_changelist"),
        reverse("admin:wallet_entry_changelist"),
        reverse("admin:plans_usagerecord_changelist"),
        reverse("admin:accounts_auditevent_changelist"),
    ):
        html = staff.get(path, follow=True).content.decode()
        assert "http://127.0.0.1" in html or "cmd|" in html, path
        for text in ("<img src=http:", "<iframe src=", "<script src=http:", "<object data="):
            assert text not in html, path


@pytest.mark.parametrize("event", ["transaction_paid", "auto_refill_failed", "services_paused"])
def test_e_mails_say_it_as_text_and_to_nobody_else(
    event: str, texts: list[str], trader: Trader
) -> None:
    """As a description, a reason and a name: no markup, and no line of its own in the head."""
    mail.outbox.clear()
    Message.objects.all().delete()
    for number, text in enumerate([*texts, "Sohar\r\nBcc: everybody@evil.test"]):
        Account.objects.filter(pk=trader.account.pk).update(name=text)
        payload = {
            name: text if name in ("description", "reason", "plan", "card") else value
            for name, value in EXAMPLES[event].items()
        }
        outbox.record_email(
            account=Account.objects.get(pk=trader.account.pk),
            event=event,
            key=f"{event}:{number}",
            context=payload,
            now=timezone.now(),
        )
    outbox.deliver_due(now=timezone.now())
    assert len(mail.outbox) == len(texts) + 1
    for email in mail.outbox:
        assert isinstance(email, EmailMultiAlternatives)
        assert "\n" not in email.subject
        assert email.recipients() == [trader.account.owner_email]
        head = email.message().as_bytes().partition(b"\n\n")[0]
        assert b"\nBcc:" not in head
        html = str(email.alternatives[0][0])
        for markup in ("<img src=http", "<script", "<iframe", "<object", "<link rel"):
            assert markup not in html
