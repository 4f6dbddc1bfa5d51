"""Usage that reaches a spend cap, or nears it, says so."""

from pathlib import Path

from django.db import migrations

_SQL = Path(__file__).resolve().parent.parent / "sql"
BATCH = (_SQL / "record_usage.sql").read_text(encoding="utf-8")
SINGLE = (_SQL / "record_one_usage.sql").read_text(encoding="utf-8")


class Migration(migrations.Migration):
    dependencies = [("plans", "0016_record_one_usage_alone"), ("wallet", "0015_spend_cap")]
    operations = [migrations.RunSQL([BATCH, SINGLE], [])]
