"""A run's life: its lease, its way through the database, and what it tells."""
