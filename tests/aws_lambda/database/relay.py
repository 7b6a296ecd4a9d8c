"""A TCP relay that can forget its connections, as a NAT gateway or a proxy does."""

import contextlib
import ctypes
import socket
import struct
from collections.abc import Callable
from threading import Barrier, Event, Thread

from tests.services import install

# Linux: a filter on a socket sees each packet before TCP does. This one, a single
# "return 0", takes none, so not even an acknowledgement goes back. Newer kernels let
# only root do that to a TCP socket.
# https://docs.kernel.org/networking/filter.html
SO_ATTACH_FILTER = 26
TAKE_NOTHING = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))


class Link:
    """One connection through the relay: the client's half and the server's half."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.sockets = (client, server)
        self.forgotten = Event()
        self.released = Event()
        self._ended = Barrier(2, action=self._close)
        for half in self.sockets:
            half.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for source, target in ((client, server), (server, client)):
            Thread(target=self._pump, args=(source, target), daemon=True).start()

    def release(self) -> None:
        """End the connection on both sides."""
        self.released.set()
        for half in self.sockets:
            # Wakes a thread that waits in recv.
            with contextlib.suppress(OSError):
                half.shutdown(socket.SHUT_RDWR)

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if self.forgotten.is_set():
                    break
                target.sendall(data)
        if self.forgotten.is_set():
            self.released.wait()
        self.release()
        # A descriptor that one thread closed may be another connection's before
        # the other thread reads from it.
        self._ended.wait()

    def _close(self) -> None:
        for half in self.sockets:
            half.close()


class Relay:
    """
    Pass connections to a port of 127.0.0.1 on.

    After ``forget``, the connections there are stay open but nothing passes: the
    relay's side acknowledges what fits into its buffers, and says no more, as a
    proxy that is stuck does. After ``lose`` it does not even acknowledge, as if the
    route were gone; where the system does not let us, that is said, and is the same
    as ``forget``. New ones work, unless ``silent`` is set: then they are accepted and
    left alone.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.silent = False
        self._links: list[Link] = []
        self._silent: list[socket.socket] = []
        self._closed = Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        # Closing does not wake a thread that waits in accept.
        self._listener.settimeout(0.1)
        self.port: int = self._listener.getsockname()[1]
        Thread(target=self._accept, daemon=True).start()

    def ports(self) -> list[int]:
        """Return the ports by which the target knows the open connections."""
        links = [link for link in self._links if not link.released.is_set()]
        return [link.sockets[1].getsockname()[1] for link in links]

    def forget(self) -> list[Link]:
        """Let nothing pass on the open connections, and return them."""
        links = [link for link in self._links if not link.released.is_set()]
        for link in links:
            link.forgotten.set()
        return links

    def hang_when(self, condition: Callable[[], object]) -> None:
        """Let nothing pass, and no new connection, once the condition is met."""

        def wait() -> None:
            while not condition():
                if self._closed.wait(0.05):
                    return
            self.silent = True
            self.forget()

        Thread(target=wait, daemon=True).start()

    def lose(self) -> None:
        """Let no packet of the open connections arrive."""
        program = struct.pack("HL", 1, ctypes.addressof(TAKE_NOTHING))
        for link in self.forget():
            client = link.sockets[0]
            try:
                client.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)
            except OSError as error:
                install.say(
                    "A lost route is tested as a stuck proxy, because only root on "
                    f"Linux may drop the packets of a connection: {error}."
                )

    def release(self) -> None:
        """Close what was forgotten or kept waiting, and serve again."""
        self.silent = False
        for link in self._links:
            if link.forgotten.is_set():
                link.release()
        while self._silent:
            self._silent.pop().close()

    def close(self) -> None:
        """Close everything."""
        self._closed.set()
        self._listener.close()
        self.release()
        for link in self._links:
            link.release()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            if self.silent:
                self._silent.append(client)
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                client.close()
            else:
                self._links.append(Link(client, server))
