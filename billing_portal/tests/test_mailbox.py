"""The demo's mailbox: every e-mail as a person would get it, and only where it is a demo."""

import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.mail import EmailMultiAlternatives, send_mail
from django.test import Client
from django.urls import NoReverseMatch, clear_url_caches, reverse
from pytest_django import Settings

from accounts import outbox
from accounts.tests.factories import NOW, make_account
from accounts.tests.test_notices import EXAMPLES
from billing_portal import urls


@pytest.fixture(autouse=True)
def mailbox(settings: Settings, tmp_path: Path) -> Path:
    """The demo's way to send mail, into a folder of the test."""
    settings.EMAIL_BACKEND = "billing_portal.mailbox.MailboxBackend"
    settings.MAILBOX_DIR = tmp_path / "mail"
    return tmp_path / "mail"


def send(subject: str = "Hello", to: str = "owner@demo.test", body: str = "A line.") -> None:
    send_mail(subject, body, None, [to])


@pytest.mark.django_db
def test_a_notice_is_found_with_its_text_and_its_html(client: Client) -> None:
    account = make_account(name="شركة مسقط للشحن", owner_email="owner@demo.test")
    outbox.record_email(
        account=account,
        event="low_balance",
        key="low",
        context=EXAMPLES["low_balance"],
        now=NOW,
    )
    assert outbox.deliver_due(now=NOW) == 1

    html = client.get(reverse("mailbox")).content.decode()
    assert "Your balance is low: $8.20" in html
    address = html.split('<a href="/mailbox/')[1].split('"')[0]
    page = client.get(f"/mailbox/{address}")
    assert "owner@demo.test" in page.content.decode()
    assert "Sent to the billing contact of \u2068شركة مسقط للشحن\u2069." in page.content.decode()
    shown = client.get(f"/mailbox/{address}html/")
    assert "شركة مسقط للشحن" in shown.content.decode()
    assert '<base target="_top">' in shown.content.decode()


def test_its_html_runs_nothing_and_is_framed_by_us_alone(client: Client) -> None:
    email = EmailMultiAlternatives("Hello", "text", None, ["owner@demo.test"])
    email.attach_alternative("<html><head></head><script>alert(1)</script></html>", "text/html")
    email.send()

    address = client.get("/mailbox/").content.decode().split('<a href="/mailbox/')[1].split('"')[0]
    shown = client.get(f"/mailbox/{address}html/")

    policy = shown["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "sandbox allow-top-navigation-by-user-activation" in policy
    assert "frame-ancestors 'self'" in policy
    assert shown["X-Frame-Options"] == "SAMEORIGIN"
    assert " sandbox=" in client.get(f"/mailbox/{address}").content.decode()


def test_newest_first_by_pages_and_by_address(client: Client) -> None:
    for number in range(51):
        send(f"Number {number:02}", to="owner@demo.test" if number else "viewer@demo.test")

    html = client.get("/mailbox/").content.decode()
    assert html.index("Number 50") < html.index("Number 01")
    assert "Number 00" not in html
    assert "Number 00" in client.get("/mailbox/?page=2").content.decode()
    narrowed = client.get("/mailbox/?to=VIEWER").content.decode()
    assert "Number 00" in narrowed
    assert "Number 50" not in narrowed


def test_what_came_with_it_can_be_saved(client: Client) -> None:
    email = EmailMultiAlternatives("Receipt", "text", None, ["owner@demo.test"])
    email.attach("receipt-BT-000042.pdf", b"%PDF-1.7", "application/pdf")
    email.send()

    html = client.get("/mailbox/").content.decode()
    address = html.split('<a href="/mailbox/')[1].split('"')[0]
    assert "receipt-BT-000042.pdf" in client.get(f"/mailbox/{address}").content.decode()
    saved = client.get(f"/mailbox/{address}1/")
    assert saved.content == b"%PDF-1.7"
    assert saved["Content-Disposition"] == 'attachment; filename="receipt-BT-000042.pdf"'
    assert client.get(f"/mailbox/{address}2/").status_code == 404


def test_text_is_never_markup(client: Client) -> None:
    send("<b>Bold</b>", body="<script>alert(1)</script> http://127.0.0.1:8000/billing/")
    html = client.get("/mailbox/").content.decode()
    assert "&lt;b&gt;Bold" in html
    address = html.split('<a href="/mailbox/')[1].split('"')[0]
    page = client.get(f"/mailbox/{address}").content.decode()
    assert "<script>alert" not in page
    assert 'href="http://127.0.0.1:8000/billing/"' in page


@pytest.mark.parametrize("name", ["..%2Fdemo", "nothing", "20261125T101010000000Z-0123abcd"])
def test_no_other_file_can_be_read(client: Client, mailbox: Path, name: str) -> None:
    send()
    (mailbox.parent / "demo.eml").write_text("Subject: secret\n\n")
    assert client.get(f"/mailbox/{name}/").status_code == 404


def test_an_empty_mailbox_says_so(client: Client) -> None:
    assert "No e-mail yet" in client.get("/mailbox/").content.decode()


@pytest.fixture
def production(settings: Settings) -> Iterator[None]:
    settings.MAILBOX_DIR = None
    importlib.reload(urls)
    clear_url_caches()
    yield
    settings.MAILBOX_DIR = Path("anywhere")
    importlib.reload(urls)
    clear_url_caches()


@pytest.mark.usefixtures("production")
def test_with_a_mail_server_there_is_no_mailbox(client: Client) -> None:
    assert client.get("/mailbox/").status_code == 404
    with pytest.raises(NoReverseMatch):
        reverse("mailbox")
