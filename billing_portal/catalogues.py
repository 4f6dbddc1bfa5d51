"""The catalogues of translations: what is to be translated, what is, and what is wrong with them.

`locale/<language>/LC_MESSAGES/django.po` is what translators write, `django.mo` beside it what
Django reads. Babel extracts and compiles, so that nobody needs GNU gettext (docs/translating.md).
"""

import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.conf import settings
from django.utils.translation import template as django_templates

from accounts.notices import TO_STAFF

ROOT = Path(settings.BASE_DIR)
DOMAIN = "django"
#: English is in the code.
TRANSLATIONS = tuple(code for code, _ in settings.LANGUAGES if code != "en")
#: Where what people read is written.
APPS = ("accounts", "invoices", "wallet", "plans", "billing_portal")
#: What staff and programs read stays English; allauth's elements only wrap what they are given.
_ENGLISH_ONLY = {
    *("tests", "migrations", "admin", "unfold", "management", "demo_months", "audit", "mailbox"),
    "elements",
    *TO_STAFF,
}
_PLURAL = (1, 2)
KEYWORDS = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": _PLURAL,
    "ngettext_lazy": _PLURAL,
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
}
_PLACEHOLDER = re.compile(r"%\((\w+)\)[sd]|%[sd]|\{(\w+)\}")
_TAG = re.compile(r"<[^>]+>")
#: First strong isolate and its end: what stands between is written in its own direction.
ISOLATE, END = "\u2068", "\u2069"


def modules() -> list[Path]:
    """The Python files whose strings people read."""
    return [path for app in APPS for path in sorted((ROOT / app).rglob("*.py")) if _is_read(path)]


def templates() -> list[Path]:
    """The templates that people read, e-mails and PDFs included."""
    found = sorted((ROOT / "templates").rglob("*.html")) + sorted(
        (ROOT / "templates").rglob("*.txt")
    )
    return [path for path in found if _is_read(path)]


def _is_read(path: Path) -> bool:
    event, _, _ = path.name.partition(".")
    return not _ENGLISH_ONLY & {*path.relative_to(ROOT).parts, event}


def wanted() -> Catalog:
    """Return every string that is marked, from the code as it is."""
    catalog = Catalog(domain=DOMAIN, charset="utf-8")
    for path in modules():
        _add(catalog, path, path.read_text())
    for path in templates():
        _add(catalog, path, _as_python(path))
    return catalog


def path_of(language: str, suffix: str = "po") -> Path:
    """Where a language's catalogue is."""
    return ROOT / "locale" / language / "LC_MESSAGES" / f"{DOMAIN}.{suffix}"


def load(language: str) -> Catalog:
    """Return the catalogue as translators have written it."""
    path = path_of(language)
    if not path.exists():
        return Catalog(locale=language, domain=DOMAIN)
    with path.open("rb") as file:
        return read_po(file, locale=language, domain=DOMAIN)


def update(language: str) -> Catalog:
    """Bring a catalogue to what is marked: new strings are empty, those that are gone are gone."""
    catalog = load(language)
    catalog.update(wanted(), no_fuzzy_matching=True, update_creation_date=False)
    catalog.obsolete.clear()
    path = path_of(language)
    path.parent.mkdir(parents=True, exist_ok=True)
    text = io.BytesIO()
    write_po(text, catalog, width=100, omit_header=False, include_lineno=False, sort_by_file=True)
    path.write_bytes(text.getvalue())
    path_of(language, "mo").write_bytes(compiled(load(language)))
    return catalog


def compiled(catalog: Catalog) -> bytes:
    """Return what Django reads."""
    content = io.BytesIO()
    write_mo(content, catalog)
    return content.getvalue()


def problems(language: str) -> list[str]:
    """Say what is wrong with a catalogue: missing, untranslated, fuzzy, stale, or not as wanted."""
    catalog = load(language)
    marked = {_key(message): message for message in wanted() if message.id}
    written = {_key(message): message for message in catalog if message.id}
    found = [f"missing: {key[1]}" for key in marked.keys() - written.keys()]
    found += [f"in no file any more: {key[1]}" for key in written.keys() - marked.keys()]
    for key, message in written.items():
        found += [f"{what}: {key[1]}" for what in _wrong_with(message, catalog)]
    if path_of(language, "mo").read_bytes() != compiled(catalog):
        found.append("django.mo is not what django.po compiles to")
    return sorted(found)


def _wrong_with(message: Message, catalog: Catalog) -> Iterator[str]:
    ids, texts = _forms(message.id), _forms(message.string)
    if message.fuzzy:
        yield "fuzzy"
    if len(ids) > 1 and len(texts) != catalog.num_plurals:
        yield f"not in {catalog.num_plurals} plural forms"
    if not all(texts):
        yield "not translated"
        return
    needed = _placeholders(ids[-1])
    for text in texts:
        missing = needed - _placeholders(text)
        # A form of one or two may say the number in a word.
        if len(missing) > (len(ids) > 1) or _placeholders(text) - needed:
            yield "other placeholders"
        if (
            text[:1].isspace() != ids[-1][:1].isspace()
            or text[-1:].isspace() != ids[-1][-1:].isspace()
        ):
            yield "other space around it"
        if sorted(_TAG.findall(text)) != sorted(_TAG.findall(ids[-1])):
            yield "other tags"
        if catalog.locale and catalog.locale.text_direction == "rtl" and _is_open(text):
            yield "a placeholder that is not isolated"


def _is_open(text: str) -> bool:
    """Whether a value would be drawn into the direction of the words around it."""
    outside = _TAG.sub("", text) + " "
    return any(
        outside[match.start() - 1 : match.start()] != ISOLATE or outside[match.end()] != END
        for match in _PLACEHOLDER.finditer(outside)
    )


def _placeholders(text: str) -> set[str]:
    return {
        match[1] or match[2] or match[0] for match in _PLACEHOLDER.finditer(text.replace("%%", ""))
    }


def _key(message: Message) -> tuple[str | None, str]:
    return (message.context, _forms(message.id)[0])


def _forms(text: str | Sequence[str] | None) -> tuple[str, ...]:
    """One text, or one for each plural form."""
    return (text or "",) if isinstance(text, str) or text is None else tuple(text)


def _as_python(path: Path) -> str:
    """A template as Django turns it into calls of gettext; without indents, which mean nothing."""
    source = django_templates.templatize(path.read_text(), origin=str(path))
    return "\n".join(line.strip() for line in source.splitlines())


def _add(catalog: Catalog, path: Path, source: str) -> None:
    where = path.relative_to(ROOT).as_posix()
    found = extract("python", io.BytesIO(source.encode()), KEYWORDS, ["Translators:"])
    for line, message, comments, context in found:
        catalog.add(
            message,
            locations=[(where, line)],
            auto_comments=comments,
            context=context,
            flags=["python-format"] if "%(" in str(message) else [],
        )
