"""HTTP between an event and a WSGI application."""
