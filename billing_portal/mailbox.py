"""The demo's mailbox: e-mails are kept as files instead of being sent, and read in the browser.

Only on a laptop without EMAIL_URL: elsewhere settings.MAILBOX_DIR is None, mail is sent, and these
pages have no address (urls.py). Whoever reaches the demo reads every mail in it, as on any test
mail server.
"""

import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage as ParsedEmail
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from billing_portal.dashboard.times import Moment, moment
from billing_portal.email_frames import frame

PAGE_SIZE = 50
_NAME = re.compile(r"[0-9TZ]{10,30}-[0-9a-f]{8}")


def _folder() -> Path:
    assert settings.MAILBOX_DIR is not None
    return Path(settings.MAILBOX_DIR)


class MailboxBackend(BaseEmailBackend):
    """Keeps each e-mail as a file of its own, complete or not at all."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Write the e-mails as they would have gone out; return how many."""
        folder = _folder()
        folder.mkdir(parents=True, exist_ok=True)
        for message in email_messages:
            name = f"{timezone.now():%Y%m%dT%H%M%S%fZ}-{uuid.uuid4().hex[:8]}"
            unfinished = folder / f"{name}.tmp"
            unfinished.write_bytes(message.message().as_bytes())
            unfinished.replace(folder / f"{name}.eml")
        return len(email_messages)


# Reading --------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Heading:
    """An e-mail in the list."""

    name: str
    href: str
    subject: str
    to: str
    at: Moment | None


@dataclass(frozen=True)
class Attachment:
    """A file that came with it."""

    href: str
    filename: str
    size: str


@dataclass(frozen=True)
class Letter:
    """An e-mail, opened."""

    heading: Heading
    sender: str
    message_id: str
    text: str
    html_href: str
    attachments: tuple[Attachment, ...]


@require_safe
@never_cache
def mailbox(request: HttpRequest) -> HttpResponse:
    """List the e-mails, newest first; `?to=` narrows them to an address."""
    wanted = request.GET.get("to", "").strip().lower()
    files = sorted(_folder().glob("*.eml"), reverse=True)
    if wanted:
        files = [file for file in files if wanted in str(_headers(file)["to"]).lower()]
    page = Paginator(files, PAGE_SIZE).get_page(request.GET.get("page"))
    headings = [_heading(file.stem, _headers(file)) for file in page.object_list]
    context = {"letters": headings, "page": _pages(page, wanted), "wanted": wanted}
    return render(request, "mailbox/list.html", context)


@require_safe
@never_cache
def letter(request: HttpRequest, name: str) -> HttpResponse:
    """Show one e-mail, as HTML and as text."""
    return render(request, "mailbox/letter.html", {"letter": _open(name, _read(name))})


@require_safe
@never_cache
def letter_html(request: HttpRequest, name: str) -> HttpResponse:
    """The HTML of one e-mail, for the frame of its page."""
    body = _read(name).get_body(("html",))
    if body is None:
        raise Http404("This e-mail has no HTML.")
    return frame(body.get_content())


@require_safe
@never_cache
def attachment(request: HttpRequest, name: str, number: int) -> HttpResponse:
    """A file that came with an e-mail, to be saved."""
    found = list(_read(name).iter_attachments())
    if not 0 < number <= len(found):
        raise Http404("No such attachment.")
    part = found[number - 1]
    return HttpResponse(
        part.get_payload(decode=True),
        headers={
            "Content-Type": "application/octet-stream",
            "Content-Disposition": f'attachment; filename="{_filename(part)}"',
        },
    )


def _headers(file: Path) -> ParsedEmail:
    """Parse no more of a file than its headers."""
    head, _, _ = file.read_bytes().partition(b"\n\n")
    return message_from_bytes(head, policy=policy.default)


def _read(name: str) -> ParsedEmail:
    """Parse the e-mail of this name, or answer 404."""
    file = _folder() / f"{name}.eml"
    if not _NAME.fullmatch(name) or not file.is_file():
        raise Http404("No such e-mail.")
    return message_from_bytes(file.read_bytes(), policy=policy.default)


def _heading(name: str, parsed: ParsedEmail) -> Heading:
    return Heading(
        name=name,
        href=reverse("mailbox-letter", args=[name]),
        subject=str(parsed["subject"] or "(no subject)"),
        to=str(parsed["to"] or ""),
        at=_when(parsed),
    )


def _when(parsed: ParsedEmail) -> Moment | None:
    try:
        at: datetime = parsedate_to_datetime(str(parsed["date"]))
    except ValueError:
        return None
    return moment(at, UTC)


def _open(name: str, parsed: ParsedEmail) -> Letter:
    text, html = parsed.get_body(("plain",)), parsed.get_body(("html",))
    return Letter(
        heading=_heading(name, parsed),
        sender=str(parsed["from"] or ""),
        message_id=str(parsed["message-id"] or ""),
        text=text.get_content() if text else "",
        html_href=reverse("mailbox-html", args=[name]) if html else "",
        attachments=tuple(
            Attachment(
                href=reverse("mailbox-attachment", args=[name, number]),
                filename=_filename(part),
                size=f"{max(1, len(part.get_payload(decode=True)) // 1024)} KB",
            )
            for number, part in enumerate(parsed.iter_attachments(), start=1)
        ),
    )


def _filename(part: Any) -> str:
    """Return a file's name, without what a header could not carry."""
    return re.sub(r"[^\w .()-]", "_", part.get_filename() or "attachment")


def _pages(page: Any, wanted: str) -> dict[str, object]:
    """What the links to the pages around this one need."""
    query = f"&to={wanted}" if wanted else ""
    return {
        "has_previous": page.has_previous(),
        "previous_href": f"?page={page.number - 1}{query}",
        "has_next": page.has_next(),
        "next_href": f"?page={page.number + 1}{query}",
    }
