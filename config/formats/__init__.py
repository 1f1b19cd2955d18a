"""How dates and times look, per language."""
