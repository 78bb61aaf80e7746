"""The database: the only truth. SQLite out of the box, PostgreSQL beyond one machine."""
