"""Django's PostgreSQL backend, with credentials that change while we run."""
