"""From a system to our records: fetch, plan, settle, prove, guard, hold, apply, verify, undo."""
