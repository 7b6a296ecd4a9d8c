import socket

import pytest
from django.db import connections


@pytest.fixture
def unreachable_database(django_db_blocker, monkeypatch):
    """Point the default connection at a port on which no server listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    with django_db_blocker.unblock():
        connection = connections["default"]
        connection.close()
        monkeypatch.setitem(connection.settings_dict, "PORT", port)
        yield
        connection.close()
