"""moto's server, one request at a time: its queues are not thread-safe."""

from collections.abc import Callable
from threading import Lock
from typing import Any

from moto import server
from moto.moto_server.werkzeug_app import DomainDispatcherApplication

lock = Lock()


class SerialApplication(DomainDispatcherApplication):
    """Serialize the requests of the server's threads."""

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Any:
        with lock:
            return super().__call__(environ, start_response)


if __name__ == "__main__":
    vars(server)["DomainDispatcherApplication"] = SerialApplication
    server.main()
