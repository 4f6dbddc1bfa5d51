"""No string outside the catalogues, and every catalogue whole."""

from pathlib import Path

import pytest

from billing_portal import catalogues, unmarked


@pytest.mark.parametrize("language", catalogues.TRANSLATIONS)
def test_everything_that_is_marked_is_translated_and_compiled(language: str) -> None:
    assert catalogues.problems(language) == [], "Run `make messages`; see docs/translating.md."


def test_everything_that_people_read_is_marked() -> None:
    assert unmarked.everything() == [], "Mark it for translation; see docs/translating.md."


@pytest.mark.parametrize(
    ("template", "found"),
    [
        ("<p>Pay now</p>", ["Pay now"]),
        ('<p>{% translate "Pay now" %}</p>', []),
        ("<p>{% blocktranslate %}Pay {{ amount }}{% endblocktranslate %}</p>", []),
        ('<a href="/x" aria-label="Receipt of {{ n }}">{{ n }}</a>', ["aria-label=Receipt of …"]),
        ('<c-empty icon="chart" title="No payments" />', ["title=No payments"]),
        ('<p class="is-{% if a %}wide{% endif %}">{{ amount }}</p>', []),
        ('{% include "x.html" with label="Amount due" value=amount %}', ["Amount due"]),
        ('{% include "x.html" with label=_("Amount due") value=amount %}', []),
        ("<span>Badal</span> 1 USD = {{ rate }} OMR", []),
        ("<style>.a { color: red }</style><!-- a note -->", []),
    ],
)
def test_what_is_not_marked_in_a_template_is_found(
    template: str, found: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "page.html"
    path.write_text(template)
    assert list(unmarked.in_template(path)) == found


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ('title = "Pay now"', ["Pay now"]),
        ('title = _("Pay now")', []),
        ('title = f"Keep {name}"', ["Keep {}"]),
        ('title = _("Keep %(name)s") % {"name": name}', []),
        ('raise ValueError("A slip of ours")', []),
        ('log.info("A payment was made")', []),
        ('label = "Paid"', ["Paid"]),
        ('status = "paid"', []),
    ],
)
def test_what_is_not_marked_in_a_presenter_is_found(
    line: str, found: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "dashboard" / "page.py"
    path.parent.mkdir()
    path.write_text(line)
    assert [text for _, text in unmarked.in_module(path)] == found
