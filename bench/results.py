"""What was measured, kept from run to run in results.json; RESULTS.md is rendered from it."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from bench.measure import Run

FOLDER: Final = Path(__file__).resolve().parent


class FewerRounds(Exception):
    """What is kept was measured in more rounds."""


class Results:
    """The newest run of each scenario, in each of its two forms."""

    def __init__(self, file: Path = FOLDER / "results.json") -> None:
        self.file = file
        self.kept: dict[str, dict[str, Any]] = {}
        if file.exists():
            self.kept = json.loads(file.read_text())

    def keep(
        self,
        name: str,
        run: Run,
        *,
        now: datetime,
        machine: dict[str, str],
        seconds: float,
        overwrite: bool,
    ) -> None:
        """Keep a run in place of the one before, and leave every other as it is.

        Raises FewerRounds when that one had more, unless it may be overwritten.
        """
        form = "full" if run.full else "short"
        before = self.kept.get(name, {}).get(form)
        if before is not None and before["rounds"] > run.rounds and not overwrite:
            raise FewerRounds(
                f"{name}: {before['rounds']} rounds of {before['measured_at'][:10]} are kept, and "
                f"these were {run.rounds}. They stay; --overwrite puts the new ones in their place."
            )
        self.kept.setdefault(name, {})[form] = {
            "measured_at": now.isoformat(timespec="seconds"),
            "seconds": round(seconds),
            "machine": machine,
            **run.as_json(),
        }
        self.file.write_text(json.dumps(self.kept, indent=1, ensure_ascii=False) + "\n")

    def best(self, name: str) -> tuple[Run, dict[str, Any]] | None:
        """Return the run that is shown: the full form's where there is one, else the short's."""
        forms = self.kept.get(name, {})
        for form in ("full", "short"):
            if form in forms:
                return Run.from_json(forms[form], full=form == "full"), forms[form]
        return None
