"""What the pages of the admin share: the truth is read-only, whoever asks."""

from typing import Any

from django.core.exceptions import FieldDoesNotExist, PermissionDenied, ValidationError
from django.db.models import DateTimeField, DecimalField, Model
from django.http import HttpRequest, HttpResponse
from djmoney.models.fields import MoneyField
from unfold.admin import ModelAdmin, TabularInline
from unfold.forms import PaginationInlineFormSet

from accounts.money import format_quantity, format_unit_price
from billing_portal.admin import cells
from billing_portal.admin.pagination import BoundedPaginator
from billing_portal.admin.rows import PortalChangeList


class PortalAdmin(ModelAdmin):
    """Lists that stay quick: no second count of the whole table, filters in a side sheet."""

    list_per_page = 50
    change_list_template = "admin/quick_list.html"
    paginator: type[Any] = BoundedPaginator
    show_full_result_count = False
    list_filter_submit = True
    compressed_fields = True
    warn_unsaved_form = True

    def get_changelist(self, request: HttpRequest, **options: Any) -> type[PortalChangeList]:
        """Return the list that writes its rows itself."""
        return PortalChangeList

    def get_list_display_links(self, request: HttpRequest, list_display: Any) -> Any:
        """Open a record by its first column that is no link to another: links can't be nested."""
        if self.list_display_links == ():
            for column in list_display:
                if not getattr(column, "leads_elsewhere", False):
                    return [column]
        return super().get_list_display_links(request, list_display)


class ReadOnlyAdmin(PortalAdmin):
    """Records that nobody adds, changes or deletes here: not superusers, not a forged POST."""

    actions: tuple[str, ...] | None = None
    warn_unsaved_form = False
    #: Decimal fields that are dollars of the ledger; other decimals are quantities.
    dollars: tuple[str, ...] = ()

    def get_fieldsets(self, request: HttpRequest, obj: Model | None = None) -> list[Any]:
        """Write times in UTC, and amounts and quantities as people do."""
        fieldsets = super().get_fieldsets(request, obj)
        return [
            (title, {**options, "fields": [self._for_people(item) for item in options["fields"]]})
            for title, options in fieldsets
        ]

    def _for_people(self, name: Any) -> Any:
        if isinstance(name, list | tuple):
            return [self._for_people(inner) for inner in name]
        try:
            field = self.model._meta.get_field(name)
        except FieldDoesNotExist:
            return name
        title = str(field.verbose_name).capitalize()
        match field:
            case DateTimeField():
                return cells.time_column(name, title)
            case MoneyField():
                return cells.column(name, title, lambda money: format_unit_price(money.amount))
            case DecimalField() if name in self.dollars:
                return cells.ledger_column(name, title)
            case DecimalField():
                return cells.column(name, title, format_quantity)
        return name

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody adds."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody changes."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody deletes."""
        return False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the list; only an action that it offers may be posted to it."""
        reads = request.method in ("GET", "HEAD")
        if not reads and request.POST.get("action") not in self.get_actions(request):
            raise PermissionDenied
        return super().changelist_view(request, extra_context)


class ConstrainedFormSet(PaginationInlineFormSet):
    """Checks a row's constraints with its parent, which Django's inlines leave to the database.

    Without it, a second row of what there may be one of is an error page.
    """

    def clean(self) -> None:
        """Say at the row what the database would refuse."""
        super().clean()
        for form in self.forms:
            if form in self.deleted_forms or not form.has_changed() or form.errors:
                continue
            try:
                form.instance.validate_constraints()
            except ValidationError as error:
                form.add_error(None, ValidationError(error.messages))


class PartOfParentInline(TabularInline):
    """Rows that belong to the record they are shown with: whoever sees that one sees them."""

    extra = 0
    can_delete = False
    hide_title = True

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """The page's own permission has been checked."""
        return True

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody adds."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody changes."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody deletes."""
        return False
