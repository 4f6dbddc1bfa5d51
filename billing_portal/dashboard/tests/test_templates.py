"""What the strict Content-Security-Policy would refuse is not written in the first place."""

import re
from pathlib import Path

import pytest
from django.conf import settings

TEMPLATES = Path(settings.BASE_DIR) / "templates"
#: E-mails and the receipt are no pages of the site; the admin has its own policy.
PAGES = [
    path
    for path in sorted(TEMPLATES.rglob("*.html"))
    if not {"email", "invoices", "admin", "unfold"} & set(path.relative_to(TEMPLATES).parts)
]
INLINE = re.compile(r"""\sstyle=|<style|\son[a-z]+=|<script(?![^>]*\bsrc=)|javascript:|hx-on""")
MARKUP = re.compile(r"https?://(?!www\.w3\.org/)")


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(TEMPLATES)))
def test_nothing_is_inline_and_nothing_comes_from_elsewhere(path: Path) -> None:
    text = path.read_text()

    assert not INLINE.search(text)
    assert not MARKUP.search(text)
