"""Sentences that are recorded in English and shown in the reader's language.

An entry, a line of a receipt or a bank's reason is written once, in English, whoever causes it. Its
sentence is kept here as one with room for values, so that it can be recognised where it is shown:
`Unused: Growth plan` is the sentence `Unused: %(line)s`, and `Growth plan` is one of its own.
What nobody of ours has written, such as a plan's name that staff chose, is shown as it is.
"""

import re
from collections.abc import Callable

from django.utils import translation

_ENGLISH = "en"

#: Returns a recorded text in the reader's words, or None when it is not the recogniser's.
Recogniser = Callable[[str], str | None]


def in_english(label: object) -> str:
    """Return a label as it is recorded, whoever's language is spoken now."""
    with translation.override(_ENGLISH):
        return str(label)


class Sentence:
    """An English sentence with room for values; its text is marked with `gettext_noop`."""

    def __init__(self, text: str) -> None:
        """Make it recognisable among what is recorded."""
        self.text = text
        parts = re.split(r"%\((\w+)\)s", text.replace("%%", "%"))
        self._pattern = re.compile(
            "".join(
                f"(?P<{part}>.+)" if place % 2 else re.escape(part)
                for place, part in enumerate(parts)
            ),
            re.DOTALL,
        )
        _sentences.append(self)
        # The one that says most of itself goes first: `%(plan)s plan` fits nearly anything.
        _sentences.sort(key=lambda sentence: -len(re.sub(r"%\(\w+\)s", "", sentence.text)))

    def write(self, **values: object) -> str:
        """Return the sentence as it is recorded."""
        return self.text % values

    def read(self, recorded: str) -> str | None:
        """Return what was recorded in the reader's language; None when it is another sentence."""
        match = self._pattern.fullmatch(recorded)
        if match is None:
            return None
        values = {name: translated(value) for name, value in match.groupdict().items()}
        return translation.gettext(self.text) % values


_sentences: list[Sentence] = []
_recognisers: list[Recogniser] = []


def recognise(recogniser: Recogniser) -> Recogniser:
    """Have a function asked for texts that no single sentence can tell."""
    _recognisers.append(recogniser)
    return recogniser


def translated(recorded: str) -> str:
    """Return a recorded text in the reader's language: as it is, where it can't be recognised."""
    language = translation.get_language()
    if not recorded or language is None or language.partition("-")[0] == _ENGLISH:
        return recorded
    return _translated(recorded)


def _translated(recorded: str) -> str:
    whole = translation.gettext(recorded)
    if whole != recorded:
        return whole
    for recogniser in _recognisers:
        if (read := recogniser(recorded)) is not None:
            return read
    for sentence in _sentences:
        if (read := sentence.read(recorded)) is not None:
            return read
    return recorded
