"""How each process of the portal holds connections to PostgreSQL."""

from typing import Any

from billing_portal.environment import env

CONNECTION_OPTIONS: dict[str, Any] = {
    # For statements that are to be planned once (accounts/prepared.py): at their first run.
    "prepare_threshold": 0 if env.bool("DATABASE_PREPARED_STATEMENTS", True) else None,
    "pool": {
        "min_size": 1,
        "max_size": env.int("DATABASE_POOL_SIZE", 20),
        # So long a request waits for a connection.
        "timeout": 10,
        # A lost connection is tried for again after 1, 2, 4 … seconds: of a database that was away
        # for minutes a pool would hear minutes after it is back. Once it is given up, the next who
        # needs one tries at once.
        "reconnect_timeout": 10,
    },
}
