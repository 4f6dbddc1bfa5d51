"""Break each rule in turn, and see that a test notices: `make mutants`.

    python -m tests.mutants                      what is not known to be caught yet, then all others
    python -m tests.mutants --only wallet_entry  those whose title has this in it
    python -m tests.mutants --resume             go on where the last run ended

First all are tried in one run of pytest, each on the tests that likely notice. What is left is
tried by itself: a rule is dropped in a clone of a freshly migrated database, a guard is reversed in
a copy of the tree, and the tests that may notice run, the likeliest first, until one fails that
does not fail without the mutant. A mutant that no test notices is a missing test: the
command lists it and fails. Those that equivalent.toml excuses are tried as well, on all tests: one
that a test does notice fails the command, too.
"""

import argparse
import json
import os
import sys
import time

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

from tests.mutants import catalogue, database, guards, records  # noqa: E402
from tests.mutants.runs import Runs, in_turn  # noqa: E402

PROGRESS = guards.ROOT / ".data" / "mutants" / "progress.json"


def main() -> int:
    """Run the mutants that are asked for; return how many survived, at most 1."""
    arguments = _arguments()
    PROGRESS.parent.mkdir(parents=True, exist_ok=True)
    if not (arguments.resume and database.is_prepared()):
        database.prepare()
    database.connect_to(database.TEMPLATE)
    mutants: list[records.Mutant] = [*catalogue.rules(), *guards.guards()]
    titles = [mutant.title for mutant in mutants]
    excused = records.equivalent()
    progress: dict[str, str] = {}
    if arguments.resume and PROGRESS.exists():
        kept = json.loads(PROGRESS.read_text())
        progress = {title: test for title, test in kept.items() if test}
    wanted = [
        mutant
        for mutant in mutants
        if arguments.only in mutant.title
        and mutant.title not in excused
        and not progress.get(mutant.title)
    ]
    # What was caught before is quick to catch again: the news come first.
    known = records.caught()
    wanted.sort(key=lambda mutant: mutant.title in known)
    folders = [] if arguments.quick else [f"{app}/tests" for app in catalogue.OUR_APPS]
    for folder in ("", *folders):
        left = [mutant for mutant in wanted if mutant.title not in progress]
        if folder:
            rules = [mutant for mutant in left if isinstance(mutant, catalogue.Rule)]
            left = [rule for rule in rules if folder.startswith(f"{rule.app}/")]
        for title, test in in_turn(left, all_of=folder).items() if left else ():
            progress[title] = test
            print(f"{title}: caught by {test}", flush=True)
        _keep(progress, titles)
    wanted = [mutant for mutant in wanted if mutant.title not in progress]
    if arguments.quick:
        wanted = []
    runs = Runs(groups=arguments.groups)
    for number, mutant in enumerate(wanted, start=1):
        started = time.monotonic()
        test = runs.who_notices(mutant)
        progress[mutant.title] = test
        _keep(progress, titles)
        said = f"caught by {test}" if test else "SURVIVED"
        took = time.monotonic() - started
        print(f"[{number}/{len(wanted)}] {mutant.title}: {said} ({took:.1f} s)", flush=True)
    ran = [mutant for mutant in mutants if arguments.only in mutant.title]
    needless = [mutant for mutant in ran if mutant.title in excused]
    if arguments.quick:
        print(f"{len(needless)} mutants that nobody should notice were not tried: --quick.")
    else:
        print(f"All tests, with what nobody should notice: {len(needless)}", flush=True)
        progress.update(runs.caught_after_all(needless))
    return records.tell(ran, progress, excused)


def _keep(progress: dict[str, str], titles: list[str]) -> None:
    PROGRESS.write_text(json.dumps(progress, indent=1))
    records.keep(progress, titles=titles)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--only", default="", help="those whose title has this in it")
    parser.add_argument("--resume", action="store_true", help="leave out what was caught already")
    parser.add_argument(
        "--quick", action="store_true", help="only what many are tried in at once, not the long way"
    )
    parser.add_argument(
        "--groups", type=int, default=99, help="ask only so many groups of tests, for a quick look"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
