"""How many examples the properties try: few and the same in `make test`, many in `make properties`.

`PROPERTY_EXAMPLES=200` tries 200 of each, ever others, and prints what reproduces a failure.
"""

import os

from hypothesis import HealthCheck, settings

MANY = int(os.environ.get("PROPERTY_EXAMPLES", "0"))


def examples(few: int, *, steps: int = 50) -> settings:
    """Return the settings of a property: `few` examples, of so many `steps`, unless more are asked.

    No example has a deadline: how quick a database is says nothing about what it holds.
    """
    return settings(
        max_examples=MANY or few,
        stateful_step_count=steps * 2 if MANY else steps,
        derandomize=not MANY,
        print_blob=bool(MANY),
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
