"""The country of an account is an ISO 3166 code from now on: taxes follow it.

Until now it was free text. What is not recognised is kept in the account's audit trail.
"""

import django_countries.fields
from django.db import migrations
from django.utils import timezone, translation
from django_countries import countries

#: As people write them; the standard's own names and codes are known to django-countries.
ALIASES = {
    "sultanate of oman": "OM",
    "عمان": "OM",
    "سلطنة عمان": "OM",
    "uae": "AE",
    "emirates": "AE",
    "ksa": "SA",
    "kingdom of saudi arabia": "SA",
    "kingdom of bahrain": "BH",
    "state of kuwait": "KW",
    "state of qatar": "QA",
    "uk": "GB",
    "great britain": "GB",
    "england": "GB",
    "usa": "US",
    "united states": "US",
    "turkey": "TR",
    "the netherlands": "NL",
}


def recognise(text):
    """Return the code of the country that `text` names, or ""."""
    words = " ".join(text.split()).strip(" .").casefold()
    with translation.override("en"):
        known = {
            name.casefold(): code
            for code, common in countries
            for name in (common, countries.name(code), code, countries.alpha3(code))
        }
    return ALIASES.get(words) or known.get(words, "")


def to_codes(apps, schema_editor):
    account_model = apps.get_model("accounts", "Account")
    event_model = apps.get_model("accounts", "AuditEvent")
    for account in account_model.objects.exclude(country="").order_by("pk").iterator():
        text, account.country = account.country, recognise(account.country)
        account.save(update_fields=["country"])
        if not account.country:
            event_model.objects.create(
                account=account,
                action="country_not_recognised",
                details={"country": text},
                created_at=timezone.now(),
            )


class Migration(migrations.Migration):
    dependencies = [("accounts", "0002_integrity")]

    operations = [
        migrations.RunPython(to_codes, migrations.RunPython.noop),
        # The foreign key of the events is checked at the end of the transaction, and a table that
        # has checks pending can't be altered.
        migrations.RunSQL("SET CONSTRAINTS ALL IMMEDIATE", migrations.RunSQL.noop),
        migrations.AlterField(
            model_name="account",
            name="country",
            field=django_countries.fields.CountryField(
                blank=True, help_text="It decides which tax is added to prices.", max_length=2
            ),
        ),
        # In SQL, for django-countries looks regular expressions up among the countries' names.
        migrations.RunSQL(
            "ALTER TABLE accounts_account ADD CONSTRAINT a_country_is_an_iso_code"
            " CHECK (country ~ '^([A-Z]{2})?$')",
            "ALTER TABLE accounts_account DROP CONSTRAINT a_country_is_an_iso_code",
        ),
    ]
