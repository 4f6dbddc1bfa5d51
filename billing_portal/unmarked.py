"""Strings that people read and nobody marked for translation: what a test looks for.

In templates: text between tags, what is read aloud or shown of an attribute, and literals handed to
a component or an include. In Python: literals that look like words for a person, where pages and
services say something to customers.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from billing_portal.catalogues import ROOT, modules, templates

#: Names, and what is written alike in every language.
SAME_EVERYWHERE = {"Badal", "USD", "OMR", "PDF", "CSV", "Visa", "American Express", "Diners Club"}
#: What is typed into a shell.
_COMMAND = "curl "
#: Attributes that are shown or read aloud.
_SPOKEN = {"aria-label", "title", "placeholder", "alt", "data-confirm", "content"}
_TAG = re.compile(r"\{%.*?%\}|\{\{.*?\}\}|\{#.*?#\}", re.DOTALL)
_MARKED = re.compile(
    r"\{%\s*(blocktranslate|comment)\b.*?%\}.*?\{%\s*end\1\s*%\}"
    r"|<(style|script)\b.*?</\2>|<!--.*?-->|<!doctype[^>]*>",
    re.DOTALL | re.IGNORECASE,
)
_PIECE = re.compile(
    rf"(?P<tag>{_TAG.pattern})"
    rf"|(?P<html></?[A-Za-z](?:{_TAG.pattern}|\"(?:{_TAG.pattern}|[^\"])*\"|'[^']*'|[^>\"'])*>)",
    re.DOTALL,
)
_ATTRIBUTE = re.compile(r"([:@\w.-]+)=\"([^\"]*)\"")
_LITERAL = re.compile(r"\b\w+=(?:\"([^\"]*)\"|'([^']*)')")
_TRANSLATED = re.compile(r"_\((\"|').*?\1\)")
_WORD = re.compile(r"[A-Za-z]{2,}")
#: Stands for what a template tag leaves there: no text, and no space in a word.
_GAP = "\x00"


def everything() -> list[str]:
    """Say where a string is not marked, in templates and in modules."""
    found = [f"{_name(path)}: {text}" for path in templates() for text in in_template(path)]
    found += [
        f"{_name(path)}:{line}: {text}"
        for path in modules()
        if not _says_nothing_to_customers(path)
        for line, text in in_module(path)
    ]
    return found


def in_template(path: Path) -> Iterator[str]:
    """Return the texts of a template that are not marked."""
    pieces = list(_pieces(_MARKED.sub(_GAP, path.read_text())))
    for kind, piece in pieces:
        if kind == "text" and _is_text(piece):
            yield " ".join(piece.split())
        elif kind == "html":
            yield from _in_attributes(_TAG.sub(_GAP, piece))
        elif kind == "tag" and piece.startswith(("{% include", "{% with")):
            for double, single in _LITERAL.findall(_TRANSLATED.sub("", piece)):
                if _looks_like_words(double or single):
                    yield double or single


def _in_attributes(element: str) -> Iterator[str]:
    is_component = element.startswith("<c-")
    for name, value in _ATTRIBUTE.findall(element):
        if name.startswith(":") or name in ("class", "href"):
            continue
        spoken = name in _SPOKEN and not element.startswith("<meta")
        if (spoken or (is_component and _looks_like_words(value))) and _is_text(value):
            yield f"{name}={value.replace(_GAP, '…')}"


def _pieces(source: str) -> Iterator[tuple[str, str]]:
    """Cut a template into tags of Django, elements of HTML (tags of Django within), and text."""
    position = 0
    while position < len(source):
        match = _PIECE.match(source, position)
        if match is None or match.lastgroup is None:
            end = position + 1
            while end < len(source) and source[end] not in "{<":
                end += 1
            yield "text", source[position:end]
            position = end
        else:
            yield match.lastgroup, match[0]
            position = match.end()


def in_module(path: Path) -> Iterator[tuple[int, str]]:
    """Return the strings of a module that look like words for a person and are not marked."""
    tree = ast.parse(path.read_text())
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    # Not the folder that all of it was checked out into.
    within = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
    strict = "dashboard" in within.parts
    for node in ast.walk(tree):
        text = _text_of(node, parents)
        if text and _says_something(text, strict=strict) and not _is_excused(node, parents):
            yield node.lineno, text  # type: ignore[attr-defined]


def _text_of(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> str:
    if isinstance(parents.get(node), ast.JoinedStr | ast.FormattedValue):
        return ""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(
            str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values
        )
    return ""


def _says_something(text: str, *, strict: bool) -> bool:
    if text.startswith(_COMMAND):
        return False
    words = text.replace("{}", " ").split()
    if not words or (text.split()[0].isupper() and len(words) > 1 and words[1].isupper()):
        return False
    if text in SAME_EVERYWHERE or not _WORD.search(text.replace("{}", " ")):
        return False
    if strict and _PIECE_OF_WORDS.search(text):
        return True
    return (
        bool(re.match(r"[A-Z{]", text)) and len(words) > 1 and not re.search(r"[<>=/_]|%\(", text)
    )


#: In a presenter also a label of one word counts, and a piece such as `since {}`.
_PIECE_OF_WORDS = re.compile(
    r"^[A-Z][a-z]+(-[a-z]+)?[.…]?$|^[^<>=/_#]*([a-z]{2,}|\{\})[,;:]? ([a-z]{2,}|\{\})[^<>=/_#]*$"
)
#: Calls whose texts are marked, recorded for developers, or no texts.
_EXCUSED_CALLS = re.compile(
    r"_|n?p?gettext(_lazy|_noop)?|log|logger|re|compile|Path|execute|fetch_\w+|TypeVar"
)
_EXCUSED_KEYWORDS = {"help_text", "verbose_name", "db_comment", "samesite"}
#: What a customer may be told by raising it; other exceptions are for developers.
_TOLD_BY_RAISING = {"ValidationError", "PermissionDenied", "TooManyAttempts"}


def _is_excused(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> bool:
    """Whether a literal is no text for customers, whatever it looks like."""
    child, parent = node, parents.get(node)
    while parent is not None and not isinstance(parent, ast.stmt):
        if isinstance(parent, ast.Call) and child is not parent.func:
            names = _names_in(parent.func)
            if any(_EXCUSED_CALLS.fullmatch(name) for name in names):
                return True
        if isinstance(parent, ast.keyword) and parent.arg in _EXCUSED_KEYWORDS:
            return True
        if isinstance(parent, ast.Dict) and child in parent.keys:
            return True
        child, parent = parent, parents.get(parent)
    if isinstance(parent, ast.Raise) and isinstance(parent.exc, ast.Call):
        return not _TOLD_BY_RAISING & set(_names_in(parent.exc.func))
    return (isinstance(parent, ast.Assert | ast.Expr) and child is node) or _names_rows(
        parent, parents
    )


def _names_in(call: ast.expr) -> list[str]:
    return [
        node.attr if isinstance(node, ast.Attribute) else node.id
        for node in ast.walk(call)
        if isinstance(node, ast.Attribute | ast.Name)
    ]


def _names_rows(node: ast.AST | None, parents: dict[ast.AST, ast.AST]) -> bool:
    """Within a __str__, which the admin shows, or in a list of names such as __all__.

    Permissions are staff's, and shown to staff.
    """
    while node is not None:
        if isinstance(node, ast.FunctionDef) and node.name in ("__str__", "__repr__"):
            return True
        if isinstance(node, ast.Assign) and {"__all__", "permissions"} & set(
            _names_in(node.targets[0])
        ):
            return True
        node = parents.get(node)
    return False


#: What they say is for staff, for programs, or for whoever runs the portal.
_FOR_OTHERS = re.compile(
    r"accounts/(api\w*|bulk|cards_api|message_models|platform_webhooks|webhook\w*|gateway/\w+|models"
    r"|reasons|second_factors|staff_\w+)"
    r"|invoices/(api\w*|payment_comparison|reconciliation\w*|refunds?|refund_settlement|checkout"
    r"|staff_exports|month_payments|sweeper)"
    r"|wallet/(month_end\w*|roll_forward|api\w*|adjustment\w*|approval\w*|refill_retries|staff_exports)"
    r"|plans/(api\w*|catalogue_models|provisioning|usage(?!_words)\w*|versions?(_preview)?|plan_changes_by_staff|subscriber_moves"
    r"|grace|payment_retries|usage_cycle)"
    r"|billing_portal/(?!dashboard/|sign_in|middleware)\w+"
)


def _says_nothing_to_customers(path: Path) -> bool:
    module = path.relative_to(ROOT).with_suffix("").as_posix()
    return module.startswith("billing_portal/djstripe") or bool(_FOR_OTHERS.fullmatch(module))


def _is_text(text: str) -> bool:
    words = set(_WORD.findall(re.sub(r"&\w+;", "", text)))
    return bool(words - SAME_EVERYWHERE)


def _looks_like_words(value: str) -> bool:
    return bool(re.match(r"[A-Z]", value.strip("\x00 "))) or " " in value.strip()


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()
