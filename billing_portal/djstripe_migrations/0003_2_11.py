from django.db import migrations


class Migration(migrations.Migration):
    """Empty: 0001_initial already has what dj-stripe 2.11 changed."""

    dependencies = [("djstripe", "0002_2_10")]
    operations = []
