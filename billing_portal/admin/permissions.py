"""What a reader may see in the admin."""

from django.contrib.auth.models import AnonymousUser
from django.db.models import Model

from accounts.models import User


def may_view(reader: User | AnonymousUser, model: type[Model]) -> bool:
    """Whether they may look at records of this kind: those who may change them do, too."""
    label, name = model._meta.app_label, model._meta.model_name
    return reader.has_perm(f"{label}.view_{name}") or reader.has_perm(f"{label}.change_{name}")
