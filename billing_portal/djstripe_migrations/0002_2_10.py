from django.db import migrations


class Migration(migrations.Migration):
    """Empty: 0001_initial already has what dj-stripe 2.10 changed."""

    dependencies = [("djstripe", "0001_initial")]
    operations = []
