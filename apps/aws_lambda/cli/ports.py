"""TCP ports of this machine."""

import socket


def is_taken(port: int) -> bool:
    """Return whether a program listens on a local port, over IPv4 or IPv6."""
    try:
        socket.create_connection(("localhost", port), timeout=1).close()
    except OSError:
        return False
    return True


def free_port() -> int:
    """Return a port of 127.0.0.1 that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port
