"""PowerSchool SIS, read through queries that a plugin of ours adds to it ("PowerSchool Query")."""
