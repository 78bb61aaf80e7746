"""Pure values and decisions: standard library and pydantic only, no I/O, no clock."""
