"""A record that is within one volume tier is priced and described without a call for it.

Only one that crosses a boundary needs the closed form and its parts in words: a function that is
not inlined starts an executor of its own, which took longer than all else of a record. Wallets are
gone through in the order of the indexes that are written, and figures have six decimals. Nothing
is memoized: what is looked up is looked up once.
"""

from pathlib import Path

from django.db import migrations

_SQL = Path(__file__).resolve().parent.parent / "sql"
FORWARD = (_SQL / "record_usage_2.sql").read_text(encoding="utf-8")
REVERSE = (
    (_SQL / "record_usage.sql")
    .read_text(encoding="utf-8")
    .replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")
)


class Migration(migrations.Migration):
    dependencies = [("plans", "0012_record_usage")]

    operations = [migrations.RunSQL(FORWARD, REVERSE)]
