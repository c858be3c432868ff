"""A TCP proxy in front of PostgreSQL that misbehaves on request."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
from enum import Enum, auto

from sqlalchemy import make_url

_COMMIT = b"COMMIT\x00"  # psycopg2 sends it as a simple query
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close with RST


class Fault(Enum):
    """What the proxy does to traffic."""

    NONE = auto()
    BLACK_HOLE = auto()  # acknowledges everything, delivers nothing
    CUT_AFTER_COMMIT = auto()  # the server commits, the client never hears; once


class TcpProxy:
    """Forwards a loopback port to `host:port` until told to misbehave.

    Use as a context manager; `url_for` rewrites a database URL to go through it.
    """

    def __init__(self, host: str, port: int) -> None:
        self.fault = Fault.NONE
        self.delay_seconds = 0.0
        self.connections = 0
        self._target = (host, port)
        self._open: set[socket.socket] = set()
        self._stopping = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    @classmethod
    def in_front_of(cls, url: str) -> TcpProxy:
        """A proxy for the server of a database URL."""
        parsed = make_url(url)
        return cls(parsed.host or "127.0.0.1", parsed.port or 5432)

    def url_for(self, url: str) -> str:
        """The same database, reached through this proxy."""
        moved = make_url(url).set(host="127.0.0.1", port=self.port)
        return moved.render_as_string(hide_password=False)

    def __enter__(self) -> TcpProxy:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """Reset every connection."""
        for end in list(self._open):
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                end.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            try:
                server = socket.create_connection(self._target)
            except OSError:
                client.close()  # the server is down just now
                continue
            threading.Thread(
                target=self._forward, args=(client, server), daemon=True
            ).start()

    def _forward(self, client: socket.socket, server: socket.socket) -> None:
        ends = {client, server}
        self._open |= ends
        cut_at_reply = False
        try:
            while True:
                readable, _, _ = select.select(list(ends), [], [])
                for source in readable:
                    data = source.recv(65_536)
                    if not data or (cut_at_reply and source is server):
                        return
                    if self.fault is Fault.BLACK_HOLE:
                        continue
                    if self.fault is Fault.CUT_AFTER_COMMIT and _COMMIT in data:
                        self.fault = Fault.NONE
                        cut_at_reply = True
                    self._stopping.wait(self.delay_seconds)
                    (server if source is client else client).sendall(data)
        except OSError:
            return
        finally:
            self._open -= ends
            client.close()
            server.close()
