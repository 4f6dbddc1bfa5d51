"""A select of hundreds is what Django's is, written in one go."""

from typing import Any

import pytest
from django import forms
from django.utils.html import escape

from billing_portal.dashboard.widgets import LongSelect

CHOICES: list[Any] = [
    ("", "None"),
    ("a", "A & <b>"),
    ("Africa", [("Africa/Cairo", "Cairo"), ('"', "Quoted")]),
]


@pytest.mark.parametrize("value", ["", "a", "Africa/Cairo", '"', None, "unknown"])
def test_it_is_the_element_that_django_draws(value: str | None) -> None:
    attrs = {"class": "select", "required": True, "id": "id_zone", "disabled": False}
    ours, djangos = (
        widget(choices=CHOICES).render("zone", value, attrs)
        for widget in (LongSelect, forms.Select)
    )
    assert _bare(ours) == _bare(djangos)
    assert escape("A & <b>") in ours


def _bare(html: str) -> str:
    """Without the space between elements; attributes in one order."""
    compact = "".join(line.strip() for line in html.splitlines())
    head, _, rest = compact.partition(">")
    return " ".join(sorted(head.split())) + ">" + rest
