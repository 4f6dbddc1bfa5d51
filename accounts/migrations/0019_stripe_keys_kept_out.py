"""What dj-stripe kept of Stripe's secret keys becomes what tells them apart, and nothing more."""

from django.db import migrations

FINGERPRINTS = """
UPDATE djstripe_apikey
   SET secret = 'sha256:' || encode(sha256(convert_to(secret, 'UTF8')), 'hex')
 WHERE secret NOT LIKE 'sha256:%'
"""


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0018_one_key_for_a_form"),
        ("djstripe", "0003_2_11"),
    ]

    operations = [migrations.RunSQL(FINGERPRINTS, migrations.RunSQL.noop)]
