"""What the database writes of a charge for usage (plans/sql/rating_rules.sql), in other languages.

`Call minutes: 10 beyond the allowance × $0.10 + 5 × $0.09`
"""

import re

from django.utils.translation import gettext

from accounts.recorded_words import translated

_CHARGE = re.compile(r"(?P<feature>[^:]+): (?P<parts>[\d,.]+(?: beyond the allowance)? × \$.+)")
_PART = re.compile(r"(?P<units>[\d,.]+)(?P<beyond> beyond the allowance)? × (?P<price>\$[\d,.]+)")


def charge(recorded: str) -> str | None:
    """Return a charge for usage in the reader's language; None for another text."""
    match = _CHARGE.fullmatch(recorded)
    if match is None:
        return None
    return gettext("%(feature)s: %(parts)s") % {
        "feature": translated(match["feature"]),
        "parts": _PART.sub(_part, match["parts"]),
    }


def _part(match: re.Match[str]) -> str:
    text = (
        gettext("%(units)s beyond the allowance × %(price)s")
        if match["beyond"]
        else gettext("%(units)s × %(price)s")
    )
    return text % {"units": match["units"], "price": match["price"]}
