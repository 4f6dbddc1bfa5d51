"""`python -m simulation`: one run, on the database that DATABASE_URL names (see database.py)."""

import argparse
import json
import sys

import django

from simulation import arguments


def main() -> int:
    """Run a seed; print its report, and its totals on a last line. 1 when it found a mistake."""
    parser = argparse.ArgumentParser()
    arguments.add(parser)
    given = vars(parser.parse_args())
    django.setup()

    from simulation.run import Failed, simulate

    try:
        report = simulate(arguments.options(given))
    except Failed as failed:
        sys.stdout.write(f"{failed}\n")
        return 1
    totals = {"steps": report.steps, "drift": str(report.drift), "kinds": report.kinds()}
    sys.stdout.write("\n".join([*report.lines(), json.dumps(totals)]) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
