"""The web process: thin states and pages over the services. No SQL, no business rules."""
