"""Records that staff edit by a form: it asks why, and what was changed is kept with the answer."""

from decimal import Decimal
from typing import Any

from django.db.models import Field, Model
from django.forms import BaseForm, ModelForm
from django.http import HttpRequest
from django.utils import timezone
from djmoney.money import Money

from accounts.models import AuditEvent
from accounts.money import format_quantity, format_unit_price
from billing_portal.admin.base import PortalAdmin
from billing_portal.admin.confirmed import ReasonField

REASON = "reason"
#: What nobody reads again, and what belongs to the form rather than to the record.
_LEFT_OUT = frozenset({REASON, "password", "password1", "password2", "usable_password"})


class EditedAdmin(PortalAdmin):
    """Asks for a reason wherever it offers to save. Nothing is deleted."""

    change_form_after_template = "admin/edit_reason.html"

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """What is obsolete is archived, revoked or switched off: it stands in the records."""
        return False

    def get_form(
        self, request: HttpRequest, obj: Model | None = None, change: bool = False, **options: Any
    ) -> type[BaseForm]:
        """Add the question to the form of who may save it."""
        form: type[BaseForm] = super().get_form(request, obj, change=change, **options)
        may_save = (
            self.has_change_permission(request, obj) if change else self.has_add_permission(request)
        )
        if not may_save:
            return form

        class ReasonedForm(form):  # type: ignore[misc, valid-type]
            """The record's own form, and why."""

            reason = ReasonField()

        return ReasonedForm

    def save_related(
        self, request: HttpRequest, form: "ModelForm[Any]", formsets: Any, change: bool
    ) -> None:
        """Save the rows that belong to the record, and keep what was changed and why."""
        super().save_related(request, form, formsets, change)
        changes = changes_of(form, formsets)
        if changes or not change:
            self.note_edit(request, form.instance, changes, is_new=not change, reason=why(form))

    def note_edit(
        self,
        request: HttpRequest,
        record: Model,
        changes: dict[str, Any],
        *,
        is_new: bool,
        reason: str,
    ) -> None:
        """Write who changed which record, from what to what, and why."""
        AuditEvent.objects.create(
            actor_id=request.user.pk,
            action="record_added" if is_new else "record_edited",
            reason=reason,
            details={
                "record": f"{record._meta.verbose_name} {record}",
                "id": str(record.pk),
                **changes,
            },
            created_at=timezone.now(),
        )


def why(form: BaseForm) -> str:
    """Return the reason that was given."""
    reason: str = form.cleaned_data[REASON]
    return reason


def changes_of(form: "ModelForm[Any]", formsets: Any) -> dict[str, Any]:
    """Return what differs: `before` and `after` by field, and the same of each row beside it."""
    rows = [
        {"row": f"{row.instance._meta.verbose_name} {row.instance}", **difference}
        for formset in formsets
        for row in formset.forms
        if (difference := _of_row(row, is_removed=row in formset.deleted_forms))
    ]
    return {**_of_fields(form), **({"rows": rows} if rows else {})}


def _of_row(row: "ModelForm[Any]", *, is_removed: bool) -> dict[str, Any]:
    if is_removed:
        return {"done": "removed", "before": _fields(row, row.initial, row.initial), "after": {}}
    difference = _of_fields(row)
    return {"done": "changed" if row.initial else "added", **difference} if difference else {}


def _of_fields(form: "ModelForm[Any]") -> dict[str, Any]:
    changed = [name for name in form.changed_data if name not in _LEFT_OUT]
    if not changed:
        return {}
    before = _fields(form, form.initial, changed) if form.initial else {}
    return {"before": before, "after": _fields(form, form.cleaned_data, changed)}


def _fields(form: "ModelForm[Any]", values: Any, names: Any) -> dict[str, Any]:
    columns = {field.name: field for field in form._meta.model._meta.get_fields()}
    return {name: _written(columns[name], values.get(name)) for name in names if name in columns}


def _written(column: "Field[Any, Any]", value: Any) -> Any:
    """Write a value as JSON can hold it, with all its decimals; another record by its name."""
    if value is None or isinstance(value, bool | str | Model):
        return str(value) if isinstance(value, Model) else value
    if column.related_model is not None:
        return str(column.related_model._default_manager.filter(pk=value).first() or value)
    if isinstance(value, Money):
        return format_unit_price(value.amount)
    return format_quantity(value) if isinstance(value, Decimal) else str(value)
