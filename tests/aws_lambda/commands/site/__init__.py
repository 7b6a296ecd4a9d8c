"""An app with a command and migrations for the tests."""
