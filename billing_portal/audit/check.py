"""What a check of the audit is."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """One way an invariant could be broken, and how to find it.

    The query is `SELECT … FROM … WHERE <broken>` with one text column, the broken row in words;
    `%(now)s` is the moment of the audit, any other percent sign is doubled.
    """

    invariant: str
    rule: str
    query: str


def guarded(invariant: str, rule: str, triggers: Sequence[str]) -> Check:
    """Return the check that the triggers which enforce an invariant are there and enabled."""
    return Check(
        invariant,
        rule,
        f"""
        SELECT format('trigger %%s is missing or disabled', name)
        FROM unnest(ARRAY{list(triggers)!r}) AS name
        WHERE NOT EXISTS (SELECT 1 FROM pg_trigger
                          WHERE tgname = name AND tgenabled IN ('O', 'A') AND NOT tgisinternal)
        """,  # noqa: S608 - names from our own modules
    )
