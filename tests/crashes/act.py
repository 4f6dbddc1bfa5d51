"""One scenario, in the process of its own that the runner starts: `act <name> <folder> <seconds>`.

Settings, and with them the database, are set up here, in the scenario's own folder.
"""

import os
import sys
from pathlib import Path

from tests.crashes import SCENARIOS, Scenario


def act(name: str, folder: Path, seconds: float) -> str:
    """Set up what the scenario needs, do it, and return what is to be said of it."""
    import django

    django.setup()
    from tests.crashes import crowd_scenarios, portal_scenarios

    does = {
        "writers": crowd_scenarios.fifty_writers,
        "races": crowd_scenarios.races,
        "deadlocks": crowd_scenarios.deadlocks,
        "killing": portal_scenarios.kill_processes,
        "database": portal_scenarios.restart_database,
        "away": portal_scenarios.leave_without_database,
        "redis": portal_scenarios.lose_redis,
        "disk": portal_scenarios.fill_disk,
    }
    return does[name](folder, seconds)


def set_environment(scenario: Scenario, folder: Path) -> None:
    """Nothing of this machine's own settings; a folder, ports and a PostgreSQL of its own."""
    for name in ("DATABASE_URL", "BROKER_URL", "CACHE_URL", "EMAIL_URL", "STRIPE_SECRET_KEY"):
        os.environ.pop(name, None)
    from tests.crashes.ports import free_ports

    ports = free_ports()
    os.environ |= {
        "DEBUG": "1",
        "DATA_DIR": str(folder),
        "DJANGO_SETTINGS_MODULE": "billing_portal.settings",
        "PORT": str(next(ports)),
        "STRIPE_SANDBOX_URL": f"http://127.0.0.1:{next(ports)}",
        "PYTHONUNBUFFERED": "1",
        # The load tops up oftener than people may.
        "TOP_UPS_PER_HOUR": "100000",
    }
    if scenario.needs_redis:
        redis = f"redis://127.0.0.1:{next(ports)}"
        os.environ |= {"BROKER_URL": f"{redis}/0", "CACHE_URL": f"{redis}/1"}


def main() -> None:
    """Do it; what is printed last is the result."""
    name, folder, seconds = sys.argv[1], Path(sys.argv[2]), float(sys.argv[3])
    set_environment(SCENARIOS[name], folder)
    sys.stdout.write(f"{act(name, folder, seconds)}\n")


if __name__ == "__main__":
    main()
