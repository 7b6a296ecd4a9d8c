"""Django's PostgreSQL backend, with rotated credentials and a bounded health check."""
