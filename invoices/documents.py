"""The PDFs a customer downloads: how a receipt or a credit note becomes a file.

The pages are templates in `templates/invoices/`, drawn by xhtml2pdf with the fonts beside this
file. They may fetch nothing: neither the network nor the disk is open to what a customer writes in
a name.
"""

import base64
import io
import threading
import unicodedata
from datetime import datetime, tzinfo
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import gettext
from reportlab import rl_config
from reportlab.lib.fonts import addMapping
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from xhtml2pdf import default as xhtml2pdf_defaults
from xhtml2pdf import pisa
from xhtml2pdf.config.resources import ResourceAccessPolicy

from accounts.dates import write_document_range
from accounts.models import brand_name
from accounts.money import format_omr, format_unit_price, format_usd, round_half_up
from accounts.quantities import write_quantity
from accounts.recorded_words import translated
from invoices.models import Line, Transaction

FONT_DIR = Path(__file__).resolve().parent / "fonts"
LOGO = Path(settings.BASE_DIR) / "static" / "brand" / "mark.svg"
#: The family the template names first, and the one that has what the first lacks.
FONTS = {"notosans": "NotoSans", "notosansarabic": "NotoSansArabic"}
#: Drawn for a character no font here has: a visible gap, never a silent one.
SUBSTITUTE = "\ufffd"
#: Invisible, but Persian words are spelled with it.
ZERO_WIDTH_NON_JOINER = "\u200c"
FIRST_STRONG_ISOLATE, POP_ISOLATE = "\u2068", "\u2069"
#: What keeps a value in its own direction: isolates, and the mark before a minus.
OUR_MARKS = FIRST_STRONG_ISOLATE + "\u2066" + POP_ISOLATE + "\u200e"

_registering = threading.Lock()


class DocumentNotDrawn(Exception):
    """The PDF could not be made; the details are in the log."""


def draw(template: str, context: dict[str, Any]) -> bytes:
    """Return the page as PDF, in the language that is spoken: the same bytes, however often."""
    _register_fonts()
    is_right_to_left = translation.get_language_bidi()
    sides = ("right", "left") if is_right_to_left else ("left", "right")
    look = {"start": sides[0], "end": sides[1], "logo": _logo()}
    html = render_to_string(template, _legible_in({**context, **look}))
    pdf = io.BytesIO()
    outcome = pisa.CreatePDF(
        html,
        dest=pdf,
        link_callback=_only_the_logo,
        resource_policy=ResourceAccessPolicy.server(allow_remote=False),
    )
    if outcome.err:
        raise DocumentNotDrawn(f"{outcome.err} errors in {template}.")
    return pdf.getvalue()


def legible(text: str) -> str:
    """Return `text` with every character that no font here has made visible.

    What is invisible by nature goes: control characters, joiners of emoji, and the marks that
    would turn the direction of the text after them around. From right to left our own marks stay:
    a value keeps the direction of its own, and an amount its minus before it.
    """
    _register_fonts()
    drawable = _drawable()
    kept_marks = ZERO_WIDTH_NON_JOINER
    if translation.get_language_bidi():
        kept_marks += OUR_MARKS
    kept = []
    for character in unicodedata.normalize("NFC", " ".join(text.split())):
        category = unicodedata.category(character)
        if category in ("Cc", "Cf", "Zl", "Zp"):
            if character in kept_marks:
                kept.append(character)
            continue
        if ord(character) in drawable or category == "Zs":
            kept.append(character)
        elif not _is_invisible(character):
            kept.append(SUBSTITUTE)
    return "".join(kept)


def period(start: datetime | None, end: datetime | None, *, timezone: tzinfo) -> str:
    """Return the dates of a line as a person writes them: 23 Nov – 23 Dec 2026."""
    if start is None or end is None:
        return ""
    return write_document_range(start.astimezone(timezone).date(), end.astimezone(timezone).date())


def clock(at: datetime, *, timezone: tzinfo) -> str:
    """Write the time of a day: `14:05, Asia/Muscat time`."""
    return gettext("%(time)s, %(zone)s time") % {"time": f"{at:%H:%M}", "zone": timezone}


def timezone_of(transaction: Transaction) -> ZoneInfo:
    """Return the timezone of its papers: as it was when it was paid; the oldest do not say."""
    return ZoneInfo(transaction.billed_to.get("timezone") or str(transaction.account.timezone))


def parties(*, seller: dict[str, str], billed_to: dict[str, str]) -> dict[str, Any]:
    """Return who sold and who bought, ready to print."""
    return {"seller": _seller(seller), "billed_to": _billed_to(billed_to)}


def card_of(transaction: Transaction) -> str:
    """Write the card that paid: `Visa ending 4242`, or "" when it is not known."""
    if not transaction.card_last4:
        return ""
    return gettext("%(card)s ending %(digits)s") % {
        "card": brand_name(transaction.card_brand),
        "digits": transaction.card_last4,
    }


def tax_of(transaction: Transaction, *, net: Decimal, tax: Decimal) -> dict[str, str] | None:
    """Write what leads from `net` to a total with `tax` (USD); None without a tax."""
    line = transaction.lines.filter(is_tax=True).first()
    if line is None:
        return None
    rials = round_half_up(tax * transaction.exchange_rate, Decimal("0.001"))
    return {
        "net": format_usd(net),
        "label": translated(line.description),
        "amount": format_usd(tax),
        "rials": format_omr(rials),
    }


def line_row(line: Line, *, timezone: tzinfo) -> dict[str, Any]:
    """Write a line of a transaction."""
    description = translated(line.description)
    return {
        "description": paragraph(description),
        "period": period(line.period_start, line.period_end, timezone=timezone),
        "quantity": write_quantity(line.quantity, line.unit).strip(),
        "unit_price": format_unit_price(line.unit_price.amount),
        "amount": format_usd(line.amount.amount),
    }


def plain(number: Decimal) -> str:
    """Write a number without trailing zeros: `0.385`."""
    return f"{number.normalize():f}"


def _seller(seller: dict[str, str]) -> dict[str, str]:
    """Return who sold it; the country is said once, even when the address ends with it."""
    country = "" if seller["address"].endswith(seller["country"]) else seller["country"]
    return {
        "name": seller["name"],
        "address": ", ".join(part for part in (seller["address"], country) if part),
        "tax_number": seller["tax_number"],
        "email": seller["email"],
    }


def _billed_to(buyer: dict[str, str]) -> dict[str, Any]:
    """Return whom it was sold to, with the lines of the address that are known."""
    name = buyer["name"]
    tax_number = ""
    if buyer["tax_number"]:
        tax_number = gettext("Tax number %(number)s") % {"number": buyer["tax_number"]}
    address = (buyer["address_line1"], buyer["address_line2"], buyer["city"])
    country = translated(buyer["country"])
    rest = [line for line in (*address, country, tax_number, buyer["email"]) if line]
    return {
        "name": paragraph(name),
        "lines": [paragraph(line) for line in rest],
    }


def paragraph(text: str) -> dict[str, str]:
    """Return a text with its direction: on a page from right to left, all begin at the right."""
    if translation.get_language_bidi():
        return {"text": f"{FIRST_STRONG_ISOLATE}{text}{POP_ISOLATE}", "direction": "rtl"}
    return {"text": text, "direction": direction(text)}


def direction(text: str) -> str:
    """Return the direction of a paragraph: that of its first letter, as browsers do."""
    for character in text:
        kind = unicodedata.bidirectional(character)
        if kind in ("R", "AL"):
            return "rtl"
        if kind == "L":
            return "ltr"
    return "ltr"


def _legible_in(value: Any) -> Any:
    """Return `value` with every text in it legible."""
    if isinstance(value, str):
        return legible(value)
    if isinstance(value, dict):
        return {key: _legible_in(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_legible_in(item) for item in value]
    return value


def _is_invisible(character: str) -> bool:
    """Whether this is a variation selector: it only chooses the look of the one before it."""
    return "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef"


def _only_the_logo(uri: str, origin: str | None) -> str:
    """Answer the page's wish to fetch anything but the mark it carries along: no."""
    if uri == _logo():
        return uri
    raise PermissionError(f"A document fetches nothing, not even {uri[:200]}.")


@cache
def _logo() -> str:
    """Return the seller's mark as a data URI: part of the page, so that nothing is fetched."""
    return f"data:image/svg+xml;base64,{base64.b64encode(LOGO.read_bytes()).decode()}"


@cache
def _drawable() -> frozenset[int]:
    """Return the characters that one of the fonts has."""
    covered: set[int] = set()
    for family in FONTS:
        font = pdfmetrics.getFont(family)
        assert isinstance(font, TTFont)
        covered |= font.face.charToGlyph.keys()
    return frozenset(covered)


@cache
def _load_fonts() -> None:
    # Without times and random ids in the file, equal receipts are equal bytes.
    rl_config.invariant = 1
    for family, stem in FONTS.items():
        bold = f"{family}-bold"
        pdfmetrics.registerFont(TTFont(family, FONT_DIR / f"{stem}-Regular.ttf"))
        pdfmetrics.registerFont(TTFont(bold, FONT_DIR / f"{stem}-Bold.ttf"))
        for italic in (0, 1):
            addMapping(family, 0, italic, family)
            addMapping(family, 1, italic, bold)
        xhtml2pdf_defaults.DEFAULT_FONT[family] = family


def _register_fonts() -> None:
    """Make the fonts known to ReportLab and xhtml2pdf, once per process."""
    with _registering:
        _load_fonts()
