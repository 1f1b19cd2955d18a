"""Pictures of students: read a few at a time, checked, made anew, and stored where they changed."""
