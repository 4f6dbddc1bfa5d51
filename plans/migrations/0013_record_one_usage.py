"""A single record is rated by a function of small statements: a batch's plan is dear to start."""

from pathlib import Path

from django.db import migrations

_SQL = Path(__file__).resolve().parent.parent / "sql"
FUNCTION = (_SQL / "record_one_usage.sql").read_text(encoding="utf-8")


class Migration(migrations.Migration):
    dependencies = [("plans", "0012_record_usage")]
    operations = [migrations.RunSQL(FUNCTION, "DROP FUNCTION record_one_usage;")]
