"""How dates and times look in English."""
