"""A TCP relay that can drop its connections silently, as a NAT gateway does."""

import contextlib
import ctypes
import socket
import struct
from collections.abc import Callable
from threading import Barrier, Event, Thread

from tests.services import install

# Linux: a socket filter sees each packet before TCP does. This one, a single
# "return 0", drops them all, so that no acknowledgement is sent. Newer kernels allow
# that on a TCP socket to root only.
# https://docs.kernel.org/networking/filter.html
SO_ATTACH_FILTER = 26
DROP_ALL = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))


class Link:
    """A connection through the relay: the client's half and the server's half."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.sockets = (client, server)
        self.stalled = Event()
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
            # It wakes the thread in recv.
            with contextlib.suppress(OSError):
                half.shutdown(socket.SHUT_RDWR)

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if self.stalled.is_set():
                    break
                target.sendall(data)
        if self.stalled.is_set():
            self.released.wait()
        self.release()
        # The system may give a closed descriptor to another connection, from which the
        # other thread would then read.
        self._ended.wait()

    def _close(self) -> None:
        for half in self.sockets:
            half.close()


class Relay:
    """
    Relay connections to a port of 127.0.0.1.

    After ``stall``, open connections stay open but nothing passes: the relay
    acknowledges what fits into its buffers and forwards nothing, as a stuck proxy
    does. After ``drop_packets`` nothing is acknowledged either, as when a route is
    lost; where the system does not allow that, it prints a message and stalls.

    New connections work. While ``unresponsive`` is true, they are accepted and never
    answered.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.unresponsive = False
        self._links: list[Link] = []
        self._unanswered: list[socket.socket] = []
        self._closed = Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        # Closing does not wake a thread that waits in accept.
        self._listener.settimeout(0.1)
        self.port: int = self._listener.getsockname()[1]
        Thread(target=self._accept, daemon=True).start()

    def ports(self) -> list[int]:
        """Return the client ports of the open connections, as the target sees them."""
        links = [link for link in self._links if not link.released.is_set()]
        return [link.sockets[1].getsockname()[1] for link in links]

    def stall(self) -> list[Link]:
        """Forward nothing on the open connections from now on, and return them."""
        links = [link for link in self._links if not link.released.is_set()]
        for link in links:
            link.stalled.set()
        return links

    def hang_when(self, condition: Callable[[], object]) -> None:
        """Forward nothing, on new connections either, once the condition is met."""

        def wait() -> None:
            while not condition():
                if self._closed.wait(0.05):
                    return
            self.unresponsive = True
            self.stall()

        Thread(target=wait, daemon=True).start()

    def drop_packets(self) -> None:
        """Drop every packet of the open connections."""
        program = struct.pack("HL", 1, ctypes.addressof(DROP_ALL))
        for link in self.stall():
            client = link.sockets[0]
            try:
                client.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)
            except OSError as error:
                install.say(
                    "A lost route is tested as a stuck proxy, because only root on "
                    f"Linux may drop the packets of a connection: {error}."
                )

    def release(self) -> None:
        """Close the connections that are not served, and serve new ones."""
        self.unresponsive = False
        for link in self._links:
            if link.stalled.is_set():
                link.release()
        while self._unanswered:
            self._unanswered.pop().close()

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
            if self.unresponsive:
                self._unanswered.append(client)
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                client.close()
            else:
                self._links.append(Link(client, server))
