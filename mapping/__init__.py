"""How two systems say the same thing: data entity mappings, field mappings, transformations."""
