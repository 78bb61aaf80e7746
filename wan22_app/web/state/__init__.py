"""States: thin, authorised, validated; the services do the work."""
