"""Data entity mappings: the list, the page of one with its values in place, and tables in and out."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from import_export.formats.base_formats import CSV, XLSX
from import_export.forms import ConfirmImportForm

from config.admin_base import (
    ChoicesDropdownFilter,
    ExportForm,
    HistoryAdmin,
    ImportExportAdmin,
    ImportForm,
    RelatedDropdownFilter,
    TabularInline,
    UnfoldAdminSelectWidget,
    display,
)
from mapping.choices import our_values
from mapping.models import DataEntityMapping, DataEntityMappingValue
from mapping.resources import MappingValueResource


class ActiveFilter(admin.SimpleListFilter):
    """Only active ones, unless inactive ones are asked for too."""

    title = "inactive ones"
    parameter_name = "inactive"
    # The list shows it as a tick beside the search, not among the filters.
    template = "console/nothing.html"

    def lookups(self, _request: HttpRequest, _admin: Any) -> list[tuple[str, str]]:
        """The one choice there is."""
        return [("yes", "Include Inactive")]

    def queryset(self, _request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Active ones, or all."""
        return queryset if self.value() == "yes" else queryset.filter(active=True)


class ValueForm(forms.ModelForm):  # type: ignore[type-arg]
    """One code and our value for it. The entity's values are set by the inline."""

    value = forms.ChoiceField(label="Our Value", widget=UnfoldAdminSelectWidget)
    ours: dict[str, str]

    class Meta:
        model = DataEntityMappingValue
        fields = ("external_value", "value")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["external_value"].label = "External Value"
        self.fields["external_value"].widget.attrs["aria-label"] = "External Value"
        self.fields["value"].widget.attrs["aria-label"] = "Our Value"
        choices = list(self.ours.items())
        stored = self.instance.value
        if stored and stored not in self.ours:
            choices.append((stored, f"{stored} (no longer one of our values)"))
        field = self.fields["value"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [("", "Select our value"), *choices]

    def clean_value(self) -> str:
        """One of our values of today."""
        value: str = self.cleaned_data["value"]
        if value not in self.ours:
            raise ValidationError("This is no longer one of our values. Choose another.")
        return value


class ValueInline(TabularInline):
    """The codes of one mapping, edited in place, a page at a time."""

    model = DataEntityMappingValue
    form = ValueForm
    fields = ("external_value", "value")
    verbose_name = "value"
    verbose_name_plural = "Values"
    per_page = 50
    tab = False
    hide_title = True

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        """The rows, with the values of the mapping's entity to choose from."""
        ours = our_values(obj.entity) if obj is not None else {}
        kwargs["form"] = type("EntityValueForm", (ValueForm,), {"ours": ours})
        return super().get_formset(request, obj, **kwargs)


@admin.register(DataEntityMapping)
class DataEntityMappingAdmin(HistoryAdmin):
    """Named tables from a system's codes to our values."""

    empty_hint = "Add a mapping for each entity: which of a system's codes is which of our values."
    list_display = ("name", "entity", "values_count", "active")
    list_filter = (ActiveFilter, ("entity", ChoicesDropdownFilter))
    search_fields = ("name",)
    search_help_text = "Search by name"
    inlines = (ValueInline,)
    change_list_template = "console/searched_list.html"
    change_form_outer_before_template = "console/mapping_tables.html"
    change_form_outer_after_template = "console/mapping_delete.html"
    fields = ("name", "entity", "active")
    warn_unsaved_form = True
    show_add_link = False
    # One that an integration uses cannot be deleted, so there is nothing to do with several at once.
    actions = None

    def get_queryset(self, request: HttpRequest) -> QuerySet[DataEntityMapping]:
        """With the number of values."""
        queryset: QuerySet[DataEntityMapping] = super().get_queryset(request)
        return queryset.annotate(number=Count("values"))

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The form of a new one under its own heading."""
        more = {"title": "Add New Data Entity Mapping", **(extra_context or {})}
        response: HttpResponse = super().add_view(request, form_url, more)
        return response

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """With what uses the mapping, below."""
        obj = kwargs.get("obj")
        context["show_save_and_add_another"] = False
        if obj is not None:
            context["used_by"] = self.get_deleted_objects([obj], request)[3]
        return super().render_change_form(request, context, *args, **kwargs)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """The entity cannot change once it is saved: every value belongs to it."""
        return ("entity",) if obj else ()

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Active only on existing ones."""
        return ("name", "entity", "active") if obj else ("name", "entity")

    def get_inlines(self, request: HttpRequest, obj: Any) -> tuple[Any, ...]:
        """The values come once the entity is known."""
        return (ValueInline,) if obj else ()

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        """On to the values of the new mapping."""
        if "_addanother" in request.POST or "_popup" in request.POST:
            response: HttpResponse = super().response_add(request, obj, post_url_continue)
            return response
        messages.success(request, f"{obj.name} was added. Add its values below, or import them from a file.")
        return HttpResponseRedirect(reverse("admin:mapping_dataentitymapping_change", args=[obj.pk]))

    @display(description="Values", ordering="number")
    def values_count(self, mapping: DataEntityMapping) -> int:
        """How many codes the mapping knows."""
        count: int = getattr(mapping, "number", 0)
        return count


class MappingImportForm(ImportForm):  # type: ignore[misc]
    """The file, its kind, and the mapping it belongs to."""

    mapping = forms.ModelChoiceField(
        label="Data entity mapping",
        queryset=DataEntityMapping.objects.filter(active=True),
        widget=UnfoldAdminSelectWidget,
    )
    field_order = ("resource", "mapping", "import_file", "format")


class MappingConfirmForm(ConfirmImportForm):  # type: ignore[misc]
    """The file that was previewed, and its mapping."""

    mapping = forms.ModelChoiceField(queryset=DataEntityMapping.objects.all(), widget=forms.HiddenInput)


@admin.register(DataEntityMappingValue)
class DataEntityMappingValueAdmin(ImportExportAdmin):
    """All values of all mappings: to search for a code, and for tables in and out."""

    resource_classes = (MappingValueResource,)
    import_form_class = MappingImportForm
    confirm_form_class = MappingConfirmForm
    export_form_class = ExportForm
    from_encoding = to_encoding = "utf-8-sig"
    import_error_display = ("message",)
    import_template_name = "console/mapping_import.html"
    list_display = ("external_value", "meaning", "mapping")
    list_filter = (("mapping", RelatedDropdownFilter),)
    list_select_related = ("mapping",)
    search_fields = ("external_value", "value")
    search_help_text = "Search by External Value or our value"

    def has_add_permission(self, _request: HttpRequest, *_args: Any) -> bool:
        """Values are added on the page of their mapping."""
        return False

    def has_change_permission(self, _request: HttpRequest, *_args: Any) -> bool:
        """Values are changed on the page of their mapping."""
        return False

    def has_delete_permission(self, _request: HttpRequest, *_args: Any) -> bool:
        """Values are deleted on the page of their mapping."""
        return False

    def get_import_formats(self) -> list[Any]:
        """CSV and XLSX."""
        return [CSV, XLSX]

    def get_export_formats(self) -> list[Any]:
        """CSV and XLSX."""
        return [CSV, XLSX]

    def get_import_form_initial(self, request: HttpRequest) -> dict[str, Any]:
        """The mapping one came from."""
        given = request.GET.get("mapping", "")
        return {"mapping": given} if given.isdigit() else {}

    def get_confirm_form_initial(self, request: HttpRequest, import_form: Any) -> dict[str, Any]:
        """The mapping chosen, carried to the confirmation."""
        initial: dict[str, Any] = super().get_confirm_form_initial(request, import_form)
        if import_form is not None:
            initial["mapping"] = import_form.cleaned_data["mapping"].pk
        return initial

    def get_import_resource_kwargs(self, request: HttpRequest, form: Any = None, **_kwargs: Any) -> dict[str, Any]:
        """The mapping, once the form has named it."""
        cleaned = getattr(form, "cleaned_data", None) or {}
        return {"mapping": cleaned.get("mapping")}

    def get_import_data_kwargs(self, **kwargs: Any) -> dict[str, Any]:
        """All of the file or nothing of it."""
        found: dict[str, Any] = super().get_import_data_kwargs(**kwargs)
        return {**found, "rollback_on_validation_errors": True}

    def add_data_read_fail_error_to_form(self, form: Any, _error: Exception) -> None:
        """One sentence for a file that is not what it was said to be."""
        form.add_error(
            "import_file",
            "The file cannot be read in the format chosen. Save it as CSV (UTF-8) or as XLSX, and choose that format.",
        )

    def process_result(self, result: Any, request: HttpRequest) -> HttpResponse:
        """Back to the mapping, with what the import did; or that it did nothing, and why."""
        mapping = DataEntityMapping.objects.filter(pk=request.POST.get("mapping") or 0).first()
        if result.has_errors() or result.has_validation_errors():
            messages.error(request, "Nothing was imported: the values changed since the preview. Import again.")
        else:
            self.generate_log_entries(result, request)
            totals = result.totals
            messages.success(
                request,
                f"Imported: {totals['new']} new, {totals['update']} changed, {totals['skip']} as before.",
            )
        if mapping is None:
            return HttpResponseRedirect(reverse("admin:mapping_dataentitymapping_changelist"))
        return HttpResponseRedirect(reverse("admin:mapping_dataentitymapping_change", args=[mapping.pk]))

    @display(description="Our Value", ordering="value")
    def meaning(self, row: DataEntityMappingValue) -> str:
        """Our value as its label."""
        return our_values(row.mapping.entity).get(row.value, row.value)
