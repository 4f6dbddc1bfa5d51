"""The groups of staff: made, and brought to the table of roles, whenever the database is migrated.

`post_migrate` sees to it: a line that the table gains or loses needs no migration. Whoever is in a
group stays there.
"""

from typing import Any

from django.apps import apps as current_apps
from django.apps.registry import Apps

from accounts.staff_roles import PERMISSIONS, StaffRole


def make_groups(*, apps: Apps, using: str) -> None:
    """Give each role's group exactly what the table says, making what is missing.

    Permissions are made, too: Django makes them only after all migrations, in the order of apps.
    """
    groups = apps.get_model("auth", "Group")._default_manager.using(using)
    permissions = _permissions(apps, using)
    for role in StaffRole:
        group, _ = groups.get_or_create(name=role.value)
        group.permissions.set(
            [permissions[name] for name, roles in PERMISSIONS.items() if role in roles]
        )


def _permissions(apps: Apps, using: str) -> dict[str, Any]:
    """Return each permission of the table by its name."""
    content_types = apps.get_model("contenttypes", "ContentType")._default_manager.using(using)
    permissions = apps.get_model("auth", "Permission")._default_manager.using(using)
    found = {
        f"{one.content_type.app_label}.{one.codename}": one
        for one in permissions.select_related("content_type")
    }
    for name in PERMISSIONS:
        if name not in found:
            model, codename, words = declared(name)
            content_type, _ = content_types.get_or_create(
                app_label=name.partition(".")[0], model=model
            )
            found[name] = permissions.create(
                content_type=content_type, codename=codename, name=words
            )
    return found


def declared(name: str) -> tuple[str, str, str]:
    """Return model, codename and words of a permission as today's models declare it.

    Raises LookupError for one that no model declares.
    """
    app_label, _, codename = name.partition(".")
    for model in current_apps.get_app_config(app_label).get_models():
        options = model._meta
        words = dict(options.permissions)
        for action in options.default_permissions:
            words[f"{action}_{options.model_name}"] = f"Can {action} {options.verbose_name_raw}"
        if codename in words:
            return str(options.model_name), codename, str(words[codename])
    raise LookupError(f"No model declares the permission {name}.")


def after_migrate(*, apps: Apps, using: str, **kwargs: Any) -> None:
    """Receive `post_migrate`; there are no groups yet, or any more, where auth is not migrated."""
    if "auth" in {model._meta.app_label for model in apps.get_models()}:
        make_groups(apps=apps, using=using)
