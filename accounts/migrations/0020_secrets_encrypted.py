"""What second factors are made of, and what Stripe signs with, become unreadable without SECRET_KEY."""

from django.db import migrations

from accounts import encryption, kept_secrets


def change(apps, how):
    kept_secrets.change_all(
        apps.get_model("mfa", "Authenticator").objects.all(),
        apps.get_model("djstripe", "WebhookEndpoint").objects.all(),
        how,
    )


def encrypt(apps, schema_editor):
    change(apps, encryption.encrypt)


def decrypt(apps, schema_editor):
    change(apps, encryption.decrypt)


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0019_stripe_keys_kept_out"),
        ("djstripe", "0003_2_11"),
        ("mfa", "0003_authenticator_type_uniq"),
    ]

    operations = [migrations.RunPython(encrypt, decrypt)]
