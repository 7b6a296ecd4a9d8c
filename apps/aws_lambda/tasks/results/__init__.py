"""Keep the results of tasks in the database: an app to install."""
