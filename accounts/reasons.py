"""Why staff did something: said each time, and kept with what was done."""

from django.core.exceptions import ValidationError

SHORTEST_REASON = 3
LONGEST_REASON = 500


def checked(reason: str) -> str:
    """Return the reason as it is kept. Raises ValidationError, by field."""
    reason = reason.strip()
    if len(reason) < SHORTEST_REASON:
        raise ValidationError({"reason": "Say why, for whoever reads this next."})
    if len(reason) > LONGEST_REASON:
        raise ValidationError({"reason": f"Use at most {LONGEST_REASON} characters."})
    return reason
