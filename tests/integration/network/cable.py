"""Two hosts of our own, network namespaces of this machine, and a cable between them that can be pulled out."""

from __future__ import annotations

import ctypes
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_NEWNET: Final = 0x40000000
"""CLONE_NEWNET of setns(2)."""
_NETWORK: Final = "10.213.87"
_NOBODY: Final = "02:00:00:00:00:fe"
"""The address of no network card; what is sent to it is not taken by anybody."""


@dataclass(frozen=True)
class Host:
    """A namespace; ``address`` is its end of the cable."""

    name: str
    address: str

    def run(self, *command: str) -> tuple[str, ...]:
        """Return the command that runs another one on this host."""
        return ("ip", "netns", "exec", self.name, *command)

    def connect(self, port: int) -> socket.socket:
        """Return a connection to a port of the host's own loopback.

        Raises:
            OSError: nobody listens there.
        """
        # a thread can be in another network than its process, and a socket stays in the one that it was made in
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(self._connect, port).result()

    def _connect(self, port: int) -> socket.socket:
        handle = os.open(f"/run/netns/{self.name}", os.O_RDONLY)
        try:
            libc = ctypes.CDLL(None, use_errno=True)
            if libc.setns(handle, _NEWNET):
                raise OSError(ctypes.get_errno(), "the namespace can't be entered")
        finally:
            os.close(handle)
        return socket.create_connection(("127.0.0.1", port), timeout=5)


@dataclass(frozen=True)
class Cable:
    """Both hosts, and two ways in which they lose each other."""

    near: Host
    far: Host

    def pull(self) -> None:
        """Take the cable out: each end sees that its link is down."""
        for host in (self.near, self.far):
            _ip("-n", host.name, "link", "set", _end(host), "down")

    def plug(self) -> None:
        """Put the cable in again."""
        for host in (self.near, self.far):
            _ip("-n", host.name, "link", "set", _end(host), "up")

    def swallow(self) -> None:
        """Lose every packet on the way, so that neither end is told anything."""
        for host, other in ((self.near, self.far), (self.far, self.near)):
            lost = ("lladdr", _NOBODY, "nud", "permanent", "dev", _end(host))
            _ip("-n", host.name, "neighbor", "replace", other.address, *lost)

    def deliver(self) -> None:
        """Let packets through again."""
        for host, other in ((self.near, self.far), (self.far, self.near)):
            _ip("-n", host.name, "neighbor", "delete", other.address, "dev", _end(host))


@contextmanager
def cable() -> Iterator[Cable]:
    """Connect two hosts for the time of the block.

    Raises:
        PermissionError: this machine lets us make no networks.
    """
    made = Cable(Host(f"near-{os.getpid()}", f"{_NETWORK}.1"), Host(f"far-{os.getpid()}", f"{_NETWORK}.2"))
    try:
        for host in (made.near, made.far):
            _ip("netns", "add", host.name)
            _ip("-n", host.name, "link", "set", "lo", "up")
        far = ("peer", "name", _end(made.far), "netns", made.far.name)
        _ip("link", "add", _end(made.near), "netns", made.near.name, "type", "veth", *far)
        for host in (made.near, made.far):
            _ip("-n", host.name, "address", "add", f"{host.address}/24", "dev", _end(host))
        made.plug()
        yield made
    finally:
        for host in (made.near, made.far):
            if Path(f"/run/netns/{host.name}").exists():
                _ip("netns", "delete", host.name)


def _end(host: Host) -> str:
    return f"veth-{host.name.partition('-')[0]}"


def _ip(*arguments: str) -> None:
    if shutil.which("ip") is None:
        raise PermissionError("there is no program ip")
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, timeout=30, check=False)
    if done.returncode:
        raise PermissionError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
