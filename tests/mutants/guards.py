"""Guards of the code: lines that keep a rule, each with what it says when it is reversed.

They are listed in guards.toml. A guard that the file does not have exactly once has moved: the list
has to follow it, and a test says so (test_mutants.py).
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LIST = Path(__file__).with_name("guards.toml")


@dataclass(frozen=True, slots=True)
class Guard:
    """Some text of a file, and the text that reverses what it guards; `name` says the rule."""

    name: str
    file: str
    code: str
    reversed: str

    @property
    def title(self) -> str:
        """How it is called in lists."""
        return f"guard {self.file}: {self.name}"

    @property
    def app(self) -> str:
        """The app that it is of."""
        return self.file.split("/")[0]

    def reverse(self, root: Path) -> None:
        """Reverse it in the tree under `root`. Raises ValueError when it is not there once."""
        path = root / self.file
        path.write_text(self.reversed_in(path.read_text()))

    def reversed_in(self, source: str) -> str:
        """Return its file's text with it reversed. Raises ValueError when it is not there once."""
        if source.count(self.code) != 1:
            raise ValueError(f"{self.file} has {source.count(self.code)} times: {self.code}")
        return source.replace(self.code, self.reversed)


def guards() -> list[Guard]:
    """Return every guard that is listed."""
    return [Guard(**entry) for entry in tomllib.loads(LIST.read_text())["guard"]]
