"""dj-stripe's schema in one migration.

dj-stripe's own migrations create every column that Stripe's API ever had and then remove most of
them again: over a minute of work for the first `migrate` and for each test database. These make the
same tables in a second. `0001_initial` was made by `makemigrations djstripe` from the models of
dj-stripe 2.11, and makes its tables at once (accounts/tables_at_once.py); the empty ones after it
carry upstream's names, so that whatever asks for them finds them. MIGRATION_MODULES in the settings
points here.

When dj-stripe is upgraded, `makemigrations djstripe -n <upstream's name>` writes the difference
here. billing_portal/tests/test_djstripe_migrations.py fails until that is done.
"""
