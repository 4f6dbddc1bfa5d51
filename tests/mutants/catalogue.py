"""What of the database's own rules is dropped in turn: read from its catalogue, none is forgotten.

Ours are the checks, unique keys, exclusions, triggers and composite foreign keys of our tables. A
foreign key of one column is not: Django makes one for each relation, and it says no more than that
a row is there. Nor are the tables in between that Django makes for its permissions.
"""

from dataclasses import dataclass

from django.db import connection

OUR_APPS = ("accounts", "invoices", "wallet", "plans", "billing_portal")
#: Of Django's own permissions.
NOT_OURS = ("accounts_user_groups", "accounts_user_user_permissions")

_RULES = """
WITH ours AS (
    SELECT oid, relname FROM pg_class
    WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace
      AND relname ~ %(pattern)s AND NOT relname = ANY(%(not_ours)s)
)
SELECT CASE contype WHEN 'c' THEN 'check' WHEN 'u' THEN 'unique' WHEN 'x' THEN 'exclusion'
                    ELSE 'foreign key' END,
       relname, conname, pg_get_constraintdef(c.oid)
FROM pg_constraint c JOIN ours ON ours.oid = conrelid
WHERE contype IN ('c', 'u', 'x') OR (contype = 'f' AND cardinality(conkey) > 1)
UNION ALL
SELECT 'unique index', ours.relname, i.relname, pg_get_indexdef(indexrelid)
FROM pg_index JOIN ours ON ours.oid = indrelid JOIN pg_class i ON i.oid = indexrelid
WHERE indisunique AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
UNION ALL
SELECT 'trigger', relname, tgname, pg_get_triggerdef(t.oid)
FROM pg_trigger t JOIN ours ON ours.oid = tgrelid
WHERE NOT tgisinternal AND tgparentid = 0
ORDER BY 2, 1, 3
"""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule that the database keeps: `kind` is what PostgreSQL calls it."""

    kind: str
    table: str
    name: str
    definition: str

    @property
    def title(self) -> str:
        """How it is called in lists: `trigger wallet_entry.entries_move_the_balance`."""
        return f"{self.kind} {self.table}.{self.name}"

    @property
    def app(self) -> str:
        """The app that it is of."""
        return next(app for app in OUR_APPS if self.table.startswith(f"{app}_"))

    @property
    def function(self) -> str:
        """The function that a trigger calls, or ""."""
        if self.kind != "trigger":
            return ""
        return self.definition.rsplit("EXECUTE FUNCTION ", 1)[1].split("(")[0]

    @property
    def drop(self) -> str:
        """The statement that drops it, with what needs it (a composite key its references)."""
        if self.kind == "trigger":
            return f'DROP TRIGGER "{self.name}" ON "{self.table}"'
        if self.kind == "unique index":
            return f'DROP INDEX "{self.name}"'
        return f'ALTER TABLE "{self.table}" DROP CONSTRAINT "{self.name}" CASCADE'


def rules() -> list[Rule]:
    """Return every rule of ours in the database that is connected to."""
    with connection.cursor() as cursor:
        cursor.execute(
            _RULES,
            {"pattern": f"^({'|'.join(OUR_APPS)})_", "not_ours": list(NOT_OURS)},
        )
        return [Rule(*row) for row in cursor.fetchall()]
