"""One folder for each kind of student information system."""
