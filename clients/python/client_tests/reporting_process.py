"""A platform's process: records calls, says which were taken, and lives until it is killed.

    python -m client_tests.reporting_process URL KEY FOLDER FIRST COUNT

Records `call-FIRST` and so on, then sends what is left and ends.
"""

import sys
from datetime import UTC, datetime

from billing_portal_client import BillingPortal, Retries, UsageRecord, UsageRecorder


def main() -> None:
    """Record, and print each id once the recorder has it."""
    url, key, folder, first, count = sys.argv[1:]
    with BillingPortal(url, api_key=key) as portal:
        recorder = UsageRecorder(
            portal,
            folder,
            batch_records=7,
            batch_seconds=0.01,
            backoff=Retries(first_seconds=0.01, longest_seconds=0.05),
        )
        for number in range(int(first), int(first) + int(count)):
            recorder.record(
                UsageRecord(
                    account="external:customer-42",
                    feature="call_minutes",
                    quantity=1,
                    occurred_at=datetime.now(tz=UTC),
                    id=f"call-{number}",
                )
            )
            sys.stdout.write(f"{number}\n")
            sys.stdout.flush()
        if not recorder.close(timeout=20):
            sys.exit("not everything was confirmed")


if __name__ == "__main__":
    main()
