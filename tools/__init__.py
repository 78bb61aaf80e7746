"""Programs for whoever works on the project; nothing here is needed to run the app."""
