"""Data entity mappings with values."""

from __future__ import annotations

import factory
from factory.django import DjangoModelFactory

from mapping.models import DataEntityMapping, DataEntityMappingValue


class DataEntityMappingFactory(DjangoModelFactory):
    """A mapping of genders without values."""

    class Meta:
        model = DataEntityMapping

    name = factory.Sequence(lambda n: f"Mapping {n}")
    entity = "gender"


class DataEntityMappingValueFactory(DjangoModelFactory):
    """One code of a mapping."""

    class Meta:
        model = DataEntityMappingValue

    mapping = factory.SubFactory(DataEntityMappingFactory)
    external_value = factory.Sequence(lambda n: f"C{n}")
    value = "F"


def mapping_of(entity: str, values: dict[str, str], *, name: str = "") -> DataEntityMapping:
    """A mapping of an entity with these codes and values."""
    made = DataEntityMappingFactory.create(entity=entity, **({"name": name} if name else {}))
    for external, ours in values.items():
        DataEntityMappingValueFactory.create(mapping=made, external_value=external, value=ours)
    return made
