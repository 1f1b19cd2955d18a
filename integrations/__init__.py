"""How student data moves between us and the Student Information Systems."""
