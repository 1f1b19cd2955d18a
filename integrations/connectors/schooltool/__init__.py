"""SchoolTool, read through a roster feed whose contract is ours: see the README here."""
