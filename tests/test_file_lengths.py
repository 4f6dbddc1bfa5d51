"""No file written by hand has more than 400 lines: a longer one has a seam to split it at."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LONGEST = 400
#: Not SQL: a function of the database is one statement.
ENDINGS = {".py", ".html", ".css", ".js"}
#: What programs made, or others.
NOT_BY_HAND = {"migrations", "djstripe_migrations", "staticfiles", "node_modules", "build"}


def test_no_file_is_longer_than_a_reader_can_keep_in_mind() -> None:
    too_long = {}
    for folder in sorted(ROOT.iterdir()):
        if folder.name.startswith(".") or not folder.is_dir():
            continue
        for file in folder.rglob("*"):
            if file.suffix in ENDINGS and not NOT_BY_HAND & set(file.parts):
                lines = file.read_text().count("\n")
                if lines > LONGEST:
                    too_long[str(file.relative_to(ROOT))] = lines
    assert too_long == {}
