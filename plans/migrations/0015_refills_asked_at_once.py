"""A batch looks its refills up at once, and a charge's words are put together beside its price."""

from pathlib import Path

from django.db import migrations

_SQL = Path(__file__).resolve().parent.parent / "sql"
FUNCTION = (_SQL / "record_usage.sql").read_text(encoding="utf-8")


class Migration(migrations.Migration):
    dependencies = [("plans", "0014_summarize_by_time")]
    operations = [migrations.RunSQL(FUNCTION, migrations.RunSQL.noop)]
