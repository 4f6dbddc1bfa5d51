"""Which run it is."""

from dataclasses import dataclass

DAYS_OF_A_MONTH = 30


@dataclass(frozen=True)
class Options:
    """A seed and what it is applied to: together, always the same run."""

    seed: int
    accounts: int = 4
    days: int = DAYS_OF_A_MONTH
    rate: float = 0.05
    #: Minutes between two steps, on average.
    pace: int = 100
    is_quick: bool = False

    @property
    def arguments(self) -> list[str]:
        """What names this run on a command line."""
        told = ["--seed", self.seed, "--accounts", self.accounts, "--days", self.days]
        told += ["--faults", f"{self.rate:g}", "--pace", self.pace]
        told += ["--speed"] if self.is_quick else []
        return [str(each) for each in told]

    @property
    def command(self) -> str:
        """What runs the same again."""
        return " ".join(["manage.py simulate", *self.arguments])
