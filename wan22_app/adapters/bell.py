"""A datagram on loopback that wakes the dispatcher. Lost rings cost at most a second."""

import contextlib
import json
import secrets
import socket
import threading
from collections.abc import Callable
from pathlib import Path

LOOPBACK = "127.0.0.1"
FILE = "bell.json"


class UdpBell:
    """Rings at the address that the dispatcher left in the locks folder."""

    def __init__(self, folder: Path):
        self._file = folder / FILE

    def ring(self) -> None:
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            address = json.loads(self._file.read_text(encoding="utf-8"))
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                sender.setblocking(False)
                sender.sendto(address["token"].encode(), (LOOPBACK, int(address["port"])))


class Doorkeeper:
    """Listens for rings on a thread and calls back. Close it to give the port up."""

    def __init__(self, folder: Path, on_ring: Callable[[], None]):
        self._token = secrets.token_hex(16)
        self._on_ring = on_ring
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((LOOPBACK, 0))
        part = folder / f"{FILE}.part"
        port = self._socket.getsockname()[1]
        part.write_text(json.dumps({"port": port, "token": self._token}), encoding="utf-8")
        part.replace(folder / FILE)
        threading.Thread(target=self._listen, name="bell", daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()

    def _listen(self) -> None:
        # The token keeps other programs' stray datagrams from waking the dispatcher.
        while True:
            try:
                data = self._socket.recv(64)
            except OSError:
                return
            if data == self._token.encode():
                self._on_ring()
