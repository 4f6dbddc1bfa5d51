"""Accounts as the platform makes them: one call, any number of times, one account."""

from datetime import datetime
from zoneinfo import ZoneInfo, available_timezones

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction

from accounts.models import Account, AuditEvent, Membership, User
from accounts.roles import Role
from plans import subscriptions
from plans.models import Plan, PlanVersion, Subscription, SubscriptionStatus
from wallet import ledger
from wallet.models import AutoRefill

_PROVISIONED = "account_provisioned"


class ProvisionConflict(Exception):
    """There is an account with this external id and other content."""


def provision(
    *,
    external_id: str,
    name: str,
    owner_email: str,
    plan_slug: str = "payg",
    timezone: str = "UTC",
    now: datetime,
) -> Account:
    """Return the account with this external id, made when there is none.

    It has a wallet, auto-refill (off), an owner who resets the password to sign in, and the plan:
    begun at once when it costs nothing, else waiting for its first payment. Raises ValidationError
    by field, and ProvisionConflict when it was provisioned with other content.
    """
    account, _ = find_or_provision(
        external_id=external_id,
        name=name,
        owner_email=owner_email,
        plan_slug=plan_slug,
        timezone=timezone,
        now=now,
    )
    return account


def find_or_provision(
    *,
    external_id: str,
    name: str,
    owner_email: str,
    plan_slug: str = "payg",
    timezone: str = "UTC",
    now: datetime,
) -> tuple[Account, bool]:
    """Do as provision; return whether the account was made by this call, too."""
    content = {
        "name": name.strip(),
        "owner_email": owner_email.strip(),
        "plan": plan_slug,
        "timezone": timezone,
    }
    version = _check(external_id, content)
    for _ in range(3):
        if (account := Account.objects.filter(external_id=external_id).first()) is not None:
            if _content_of(account) != content:
                raise ProvisionConflict(
                    "An account with this external_id was made with other content. "
                    "Change it with PATCH."
                )
            return account, False
        try:
            return _create(external_id, content, version, now), True
        except IntegrityError:
            continue  # somebody made the account or its owner at this moment: look again
    raise ProvisionConflict("This account is being made by another call; send it again.")


def _check(external_id: str, content: dict[str, str]) -> PlanVersion:
    """Return the plan's version on sale. Raises ValidationError for what can't be stored."""
    errors: dict[str, str] = {}
    if not external_id or len(external_id) > 200 or not external_id.isprintable():
        errors["external_id"] = "Send 1 to 200 printable characters."
    elif "/" in external_id:
        errors["external_id"] = "It becomes part of an address: leave out slashes."
    if not content["name"] or len(content["name"]) > 200 or not content["name"].isprintable():
        errors["name"] = "Send 1 to 200 printable characters."
    try:
        validate_email(content["owner_email"])
    except ValidationError:
        errors["owner_email"] = "This is no e-mail address."
    if content["timezone"] not in available_timezones():
        errors["timezone"] = "Send a name of the IANA time zone database, such as Asia/Muscat."
    version = None
    if "\0" not in content["plan"]:
        for plan in Plan.objects.filter(slug=content["plan"], archived_at__isnull=True):
            version = subscriptions.latest_version(plan=plan)
    if version is None:
        errors["plan"] = "No plan on sale is called this; see GET /plans/."
    if errors or version is None:
        raise ValidationError(errors)
    return version


def _content_of(account: Account) -> dict[str, str]:
    """Return what the account was provisioned with, whatever was changed since."""
    event = account.audit_events.filter(action=_PROVISIONED).order_by("pk").first()
    if event is not None:
        return dict(event.details)
    subscription = subscriptions.current(account=account)
    return {
        "name": account.name,
        "owner_email": account.owner_email,
        "plan": subscription.plan_version.plan.slug if subscription else "",
        "timezone": str(account.timezone),
    }


@transaction.atomic
def _create(
    external_id: str, content: dict[str, str], version: PlanVersion, now: datetime
) -> Account:
    account = Account.objects.create(
        external_id=external_id,
        name=content["name"],
        owner_email=content["owner_email"],
        timezone=ZoneInfo(content["timezone"]),
        created_at=now,
    )
    AuditEvent.objects.create(account=account, action=_PROVISIONED, details=content, created_at=now)
    wallet = ledger.open_wallet(account=account, now=now)
    refill = AutoRefill(wallet=wallet)
    if refill.amount < version.minimum_top_up:
        refill.amount = version.minimum_top_up
    refill.save()
    owner = User.objects.filter(email__iexact=account.owner_email).first()
    if owner is None:
        owner = User.objects.create_user(account.owner_email)
    Membership.objects.create(account=account, user=owner, role=Role.OWNER, created_at=now)
    if version.monthly_price.amount:
        Subscription.objects.create(
            account=account,
            plan_version=version,
            status=SubscriptionStatus.INACTIVE,
            created_at=now,
        )
    else:
        subscriptions.start_free(account=account, plan_version=version, now=now)
    return account


@transaction.atomic
def update(*, account: Account, changes: dict[str, str], now: datetime) -> Account:
    """Change name, owner_email (where notices go) or timezone. Raises ValidationError by field."""
    errors = {}
    if "name" in changes and not (changes["name"].strip() and changes["name"].isprintable()):
        errors["name"] = "Send 1 to 200 printable characters."
    if "timezone" in changes and changes["timezone"] not in available_timezones():
        errors["timezone"] = "Send a name of the IANA time zone database, such as Asia/Muscat."
    if errors:
        raise ValidationError(errors)
    if not changes:
        return account
    account = Account.objects.select_for_update(no_key=True).get(pk=account.pk)
    before = {field: str(getattr(account, field)) for field in changes}
    for field, value in changes.items():
        setattr(account, field, ZoneInfo(value) if field == "timezone" else value.strip())
    account.save(update_fields=list(changes))
    AuditEvent.objects.create(
        account=account,
        action="account_changed",
        details={"before": before, "after": changes},
        created_at=now,
    )
    return account
