"""Keep what became of each task in the database: an app to install for it."""
