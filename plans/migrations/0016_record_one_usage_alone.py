"""A single record is looked up in half as many statements, and needs no transaction around it."""

from pathlib import Path

from django.db import migrations

_SQL = Path(__file__).resolve().parent.parent / "sql"
FUNCTION = (_SQL / "record_one_usage.sql").read_text(encoding="utf-8")
#: As plans/0013 made it, where that ran before this.
FORMER = """
DROP FUNCTION IF EXISTS record_one_usage(
    timestamptz, timestamptz, timestamptz, uuid, text, text, text, numeric, timestamptz, text, text,
    text);
"""


class Migration(migrations.Migration):
    dependencies = [("plans", "0015_refills_asked_at_once")]
    operations = [migrations.RunSQL(FORMER + FUNCTION, migrations.RunSQL.noop)]
