"""Any OneRoster 1.1 or 1.2 provider: its rostering service, or its zip of CSV files."""
