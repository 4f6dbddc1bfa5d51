"""What documents point to is there: links and their headings, paths, make's targets, commands."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from django.core.management import get_commands

ROOT = Path(__file__).resolve().parents[1]
LINK = re.compile(r"\]\(([^)\s]+)\)|(?:href|src)=\"([^\"]+)\"")
CODE = re.compile(r"`([^`\n]+)`")
FOLDERS = {path.name for path in ROOT.iterdir() if path.is_dir()} | {"*"}
TARGETS = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def documents() -> list[Path]:
    visible = [path for path in ROOT.iterdir() if not path.name.startswith(".")]
    folders = [path for path in visible if path.is_dir() and path.name != "build"]
    return [*ROOT.glob("*.md"), *(found for each in folders for found in each.rglob("*.md"))]


@cache
def anchors(document: Path) -> set[str]:
    """The headings of a document as GitHub names them in addresses."""
    text = FENCE.sub("", document.read_text())
    found = set()
    for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE):
        plain = re.sub(r"[`*]|\[|\]\([^)]*\)", "", heading).strip().lower()
        found.add(re.sub(r"[^\w\- ]", "", plain).replace(" ", "-"))
    return found


def missing_links(document: Path, text: str) -> Iterator[str]:
    for pair in LINK.findall(CODE.sub("", FENCE.sub("", text))):
        target = pair[0] or pair[1]
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        linked = (document.parent / name).resolve() if name else document
        if not linked.exists() or (anchor and anchor not in anchors(linked)):
            yield target


def missing_paths(document: Path, text: str) -> Iterator[str]:
    """What looks like a path of this repository, because it begins with one of its folders."""
    for code in CODE.findall(text):
        path = code.partition(":")[0].rstrip("/")
        if not re.fullmatch(r"[\w*][\w.*/-]*/[\w.*-]+", path):
            continue
        if path.partition("/")[0] not in FOLDERS:
            continue
        if not any(ROOT.glob(path)) and not (document.parent / path).exists():
            yield path


def missing_commands(document: Path, text: str) -> Iterator[str]:
    for name in re.findall(r"`make ([\w-]+)", text):
        if name not in TARGETS:
            yield f"make {name}"
    for name in re.findall(r"manage\.py\s+([a-z_]+)", text):
        if name not in get_commands():
            yield f"manage.py {name}"


def test_what_documents_point_to_is_there() -> None:
    missing = [
        f"{document.relative_to(ROOT)}: {each}"
        for document in documents()
        for text in [document.read_text()]
        for find in (missing_links, missing_paths, missing_commands)
        for each in find(document, text)
    ]
    assert missing == []
