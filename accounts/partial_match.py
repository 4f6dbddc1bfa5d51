"""Finding a text by a part of it, however many rows there are, without an extension of PostgreSQL.

A GIN index on `trigrams_of(text)`, a function of ours (accounts/sql/search.sql), leads to the rows
that have all runs of three letters of what is looked for; those few are compared letter by letter.
"""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.lookups import DataContains
from django.db import models
from django.db.models import F, Func, Q, Value

#: Shorter words have no run of three letters: only texts that begin with them are found.
SHORTEST = 3


class Trigrams(Func):
    """The runs of three letters of a text, in lower case, as the indexes have them."""

    function = "trigrams_of"
    arity = 1
    output_field = ArrayField(models.TextField())


def containing(field: str, term: str) -> Q:
    """Return the rows whose `field` has every word of `term` in it, in any order and case.

    `field` has a GIN index of its trigrams, and one of `UPPER(field)` for words that are short.
    """
    words = term.split()
    if all(len(word) < SHORTEST for word in words):
        return Q(**{f"{field}__istartswith": term})
    found = Q()
    for word in words:
        found &= Q(**{f"{field}__icontains": word})
        if len(word) >= SHORTEST:
            found &= Q(DataContains(Trigrams(F(field)), Trigrams(Value(word))))
    return found
