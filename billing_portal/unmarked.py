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
SAME_EVERYWHERE = {"Badal", "USD", "OMR", "PDF", "CSV", "Visa", "POST", "GET", "Content-Type"}
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
    strict = "dashboard" in path.parts
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
    words = text.replace("{}", " ").split()
    if not words or (text.split()[0].isupper() and len(words) > 1 and words[1].isupper()):
        return False
    if text in SAME_EVERYWHERE or not _WORD.search(text.replace("{}", " ")):
        return False
    if strict and re.fullmatch(r"[A-Z][a-z]+(-[a-z]+)?\.?", text):
        return True
    return (
        bool(re.match(r"[A-Z{]", text)) and len(words) > 1 and not re.search(r"[<>=/_]|%\(", text)
    )


#: Where a literal is no text for customers, whatever it looks like.
_EXCUSED_CALLS = re.compile(
    r"^(_|gettext\w*|n?pgettext\w*|ngettext\w*|Sentence|log|logger|logging|re|compile|Path|SQL|RunSQL|"
    r"ValueError|TypeError|RuntimeError|KeyError|LookupError|AssertionError|ImproperlyConfigured|"
    r"execute|fetch_one|fetch_all|strftime|startswith|headers|get_or_create|TextChoices|getLogger|\w*Error|Exception)$"
)


def _is_excused(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> bool:
    child, parent = node, parents.get(node)
    if isinstance(parent, ast.Expr):
        return True
    while parent is not None and not isinstance(parent, ast.stmt):
        if isinstance(parent, ast.Call):
            names = [
                n.attr if isinstance(n, ast.Attribute) else n.id
                for n in ast.walk(parent.func)
                if isinstance(n, ast.Attribute | ast.Name)
            ]
            if any(_EXCUSED_CALLS.match(name) for name in names) and child is not parent.func:
                return True
        if isinstance(parent, ast.keyword) and parent.arg in (
            "help_text",
            "verbose_name",
            "name",
            "help",
        ):
            return True
        if isinstance(parent, ast.Dict) and child in parent.keys:
            return True
        child, parent = parent, parents.get(parent)
    return isinstance(parent, ast.Assert)


def _says_nothing_to_customers(path: Path) -> bool:
    return False


def _is_text(text: str) -> bool:
    words = set(_WORD.findall(re.sub(r"&\w+;", "", text)))
    return bool(words - SAME_EVERYWHERE)


def _looks_like_words(value: str) -> bool:
    return bool(re.match(r"[A-Z]", value.strip("\x00 "))) or " " in value.strip()


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()
