"""A batch may name an account in several ways: by its id in either case and by the platform's own.

Each name had a wallet of its own until now, the ledger refused what two of them wrote, and the whole
batch failed.
"""

from pathlib import Path

from django.db import migrations

_SQL = Path(__file__).resolve().parent.parent / "sql"
BATCH = (_SQL / "record_usage.sql").read_text(encoding="utf-8")


class Migration(migrations.Migration):
    dependencies = [("plans", "0025_usage_checked_as_it_comes")]
    operations = [migrations.RunSQL(BATCH, migrations.RunSQL.noop)]
