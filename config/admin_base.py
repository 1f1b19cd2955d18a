"""The look of the admin: the only module that imports Unfold, so that an upgrade of it is one file.

What changes anything must be an action with a `dialog` or a confirm page: a plain action runs on GET.
An action's permission check is told an id, not an object, so an action fetches its object from the
scoped `get_queryset` and answers 404 where there is none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

from django.contrib.admin import ShowFacets
from django.db.models import Model
from django.forms import DateField, Widget
from django.http import Http404, HttpRequest, HttpResponse
from import_export.admin import ExportMixin, ImportExportMixin
from simple_history.admin import SimpleHistoryAdmin
from simple_history.template_utils import HistoricalRecordContextHelper
from unfold.admin import ModelAdmin as _ModelAdmin
from unfold.admin import StackedInline as _StackedInline
from unfold.admin import TabularInline as _TabularInline
from unfold.components import BaseComponent, register_component
from unfold.contrib.filters.admin import (
    AutocompleteSelectFilter,
    AutocompleteSelectMultipleFilter,
    BooleanRadioFilter,
    ChoicesDropdownFilter,
    ChoicesRadioFilter,
    FieldTextFilter,
    MultipleChoicesDropdownFilter,
    MultipleRelatedDropdownFilter,
    RadioFilter,
    RangeDateFilter,
    RangeDateTimeFilter,
    RangeNumericFilter,
    RelatedDropdownFilter,
    TextFilter,
)
from unfold.contrib.filters.admin import DropdownFilter as _DropdownFilter
from unfold.contrib.import_export.forms import ExportForm, ImportForm, SelectableFieldsExportForm
from unfold.dataclasses import ActionDialog
from unfold.decorators import action as _action
from unfold.decorators import display as _display
from unfold.enums import ActionVariant
from unfold.forms import AdminPasswordChangeForm, BaseDialogForm, UserChangeForm, UserCreationForm
from unfold.paginator import InfinitePaginator
from unfold.sections import TableSection, TemplateSection
from unfold.views import UnfoldModelAdminViewMixin
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminDateWidget,
    UnfoldAdminFileFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminPasswordToggleWidget,
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminSelect2MultipleWidget,
    UnfoldAdminSelect2Widget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
    UnfoldBooleanWidget,
)

__all__ = [
    "ActionDialog",
    "ActionVariant",
    "AdminPasswordChangeForm",
    "AutocompleteSelectFilter",
    "AutocompleteSelectMultipleFilter",
    "BaseComponent",
    "BaseDialogForm",
    "BooleanRadioFilter",
    "ChoicesDropdownFilter",
    "ChoicesRadioFilter",
    "DropdownFilter",
    "ExportAdmin",
    "ExportForm",
    "FieldTextFilter",
    "HistoryAdmin",
    "ImportExportAdmin",
    "ImportForm",
    "InfinitePaginator",
    "ModelAdmin",
    "MultipleChoicesDropdownFilter",
    "MultipleRelatedDropdownFilter",
    "RadioFilter",
    "RangeDateFilter",
    "RangeDateTimeFilter",
    "RangeNumericFilter",
    "ReadOnlyAdmin",
    "RelatedDropdownFilter",
    "SelectableFieldsExportForm",
    "StackedInline",
    "TableSection",
    "TabularInline",
    "TemplateSection",
    "TextFilter",
    "UnfoldAdminCheckboxSelectMultipleWidget",
    "UnfoldAdminDateWidget",
    "UnfoldAdminFileFieldWidget",
    "UnfoldAdminIntegerFieldWidget",
    "UnfoldAdminPasswordToggleWidget",
    "UnfoldAdminRadioSelectWidget",
    "UnfoldAdminSelect2MultipleWidget",
    "UnfoldAdminSelect2Widget",
    "UnfoldAdminSelectWidget",
    "UnfoldAdminTextInputWidget",
    "UnfoldAdminTextareaWidget",
    "UnfoldBooleanSwitchWidget",
    "UnfoldBooleanWidget",
    "UnfoldModelAdminViewMixin",
    "UserChangeForm",
    "UserCreationForm",
    "action",
    "display",
    "register_component",
    "secret_widget",
]


_Method = TypeVar("_Method", bound=Callable[..., Any])


def action(**options: Any) -> Callable[[_Method], _Method]:
    """Mark a method as a button; the options are Unfold's: description, permissions, dialog, icon, ..."""
    decorate: Callable[[_Method], _Method] = _action(**options)
    return decorate


def display(**options: Any) -> Callable[[_Method], _Method]:
    """Mark a method as a column; the options are Unfold's: description, ordering, label, header, ..."""
    decorate: Callable[[_Method], _Method] = _display(**options)
    return decorate


class DropdownFilter(_DropdownFilter):  # type: ignore[misc]
    """A filter of one choice out of `lookups`."""


def secret_widget(**attrs: str) -> Widget:
    """An input for a stored secret: never filled in with it, so leaving it blank must mean "keep"."""
    widget: Widget = UnfoldAdminPasswordToggleWidget(
        attrs={"autocomplete": "new-password", **attrs}, render_value=False
    )
    return widget


class _DatesHinted:
    """Forms whose empty date boxes say how to type a date."""

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """The field's input."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)  # type: ignore[misc]
        if isinstance(field, DateField):
            field.widget.attrs.setdefault("placeholder", "MM/DD/YYYY")
        return field


class ModelAdmin(_DatesHinted, _ModelAdmin):  # type: ignore[misc]
    """A list and a form of one model, with this console's habits."""

    compressed_fields = True
    warn_unsaved_form = True
    list_filter_submit = True
    list_filter_sheet = True
    list_per_page = 50
    # The second count is a whole table scan for a number nobody acts on.
    show_full_result_count = False
    show_facets = ShowFacets.NEVER
    change_form_show_cancel_button = True

    def _get_obj_does_not_exist_redirect(self, *_args: Any) -> HttpResponse:
        """What is not in the scoped queryset does not exist for this person."""
        raise Http404


class ReadOnlyAdmin(ModelAdmin):
    """A model that is looked at here and written elsewhere: no add, change or delete, so no history either."""

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """The page, without the History button."""
        return super().changeform_view(request, object_id, form_url, {"show_history": False, **(extra_context or {})})

    def has_add_permission(self, *_args: Any, **_kwargs: Any) -> bool:
        """Nobody adds."""
        return False

    def has_change_permission(self, *_args: Any, **_kwargs: Any) -> bool:
        """Nobody changes; the view permission opens the page."""
        return False

    def has_delete_permission(self, *_args: Any, **_kwargs: Any) -> bool:
        """Nobody deletes."""
        return False


class _Labelled(HistoricalRecordContextHelper):  # type: ignore[misc]
    """Tells what changed between two versions, with the values as an admin words them."""

    def __init__(self, model: type[Model], record: Any, tell: Callable[[Any, Any], Any]) -> None:
        super().__init__(model, record)
        self.tell = tell

    def prepare_delta_change_value(self, change: Any, value: Any) -> Any:
        """One value of one field, in words."""
        told = self.tell(self.model._meta.get_field(change.field), value)
        return super().prepare_delta_change_value(change, told)


class HistoryAdmin(SimpleHistoryAdmin, ModelAdmin):  # type: ignore[misc]
    """A ModelAdmin whose History button shows who changed what, before and after."""

    history_list_display: ClassVar[list[str]] = []

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The history of what this person may see; 404 for anything else."""
        self.visible_or_404(request, object_id)
        page: HttpResponse = super().history_view(request, object_id, extra_context)
        return page

    def history_form_view(
        self,
        request: HttpRequest,
        object_id: str,
        version_id: str,
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """One past version of what this person may see; 404 for anything else."""
        self.visible_or_404(request, object_id)
        page: HttpResponse = super().history_form_view(request, object_id, version_id, extra_context)
        return page

    def get_historical_record_context_helper(self, _request: HttpRequest, historical_record: Any) -> Any:
        """What tells the differences: values by their labels, not as they are stored."""
        return _Labelled(self.model, historical_record, self.history_value)

    def history_value(self, field: Any, value: Any) -> Any:
        """A stored value as a person reads it."""
        choices = dict(getattr(field, "flatchoices", None) or ())
        return choices.get(value, value) if isinstance(value, str) else value

    def visible_or_404(self, request: HttpRequest, object_id: str) -> Model:
        """The object, out of those this person may see."""
        found: Model | None = self.get_object(request, object_id)
        if found is None:
            raise Http404
        return found


class ImportExportAdmin(ImportExportMixin, ModelAdmin):  # type: ignore[misc]
    """A ModelAdmin with Import (previewed before anything is written) and Export of tables."""

    import_form_class = ImportForm
    export_form_class = SelectableFieldsExportForm


class ExportAdmin(ExportMixin, ModelAdmin):  # type: ignore[misc]
    """A ModelAdmin with Export only."""

    export_form_class = SelectableFieldsExportForm


class TabularInline(_DatesHinted, _TabularInline):  # type: ignore[misc]
    """Rows of a related model as a table on its own tab."""

    extra = 0
    tab = True
    show_change_link = False


class StackedInline(_DatesHinted, _StackedInline):  # type: ignore[misc]
    """Rows of a related model as small forms on their own tab."""

    extra = 0
    tab = True
