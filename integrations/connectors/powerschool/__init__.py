"""PowerSchool SIS, read through its own API (version 1 and contacts)."""
