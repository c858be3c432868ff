"""A warm process that forks a collector in milliseconds, again and again.

It imports everything once, keeps to one thread, and forks on request. The new process
speaks with the harness over a socket that the request carries; its death is reported
here, as a parent sees it.
"""

from __future__ import annotations

import array
import functools
import gc
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import certifi
from sqlalchemy.orm import configure_mappers

ROOT = Path(__file__).resolve().parents[2]
_REQUEST_BYTES = 65_536


class Zygote:
    """The harness's handle on the forking process."""

    def __init__(self) -> None:
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket = mine
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.zygote", str(theirs.fileno())],
            cwd=ROOT,
            pass_fds=(theirs.fileno(),),
        )
        theirs.close()

    def fork(self, order: dict[str, Any]) -> tuple[int, socket.socket]:
        """A new child that follows `order`: its process id and its end of a socket."""
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        message = json.dumps({"fork": order}).encode()
        descriptors = array.array("i", [theirs.fileno()])
        self._socket.sendmsg(
            [message], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)]
        )
        theirs.close()
        return int(self._reply()["pid"]), mine

    def wait(self, pid: int, seconds: float) -> int | None:
        """Exit code of a child (negative: the signal), None if it goes on living."""
        self._socket.send(json.dumps({"wait": pid, "seconds": seconds}).encode())
        code: int | None = self._reply()["code"]
        return code

    def close(self) -> None:
        """End the forking process and whatever it forked."""
        self._socket.close()
        self._process.wait(10)

    def _reply(self) -> dict[str, Any]:
        reply = self._socket.recv(_REQUEST_BYTES)
        if not reply:
            raise RuntimeError("the forking process has died")
        document: dict[str, Any] = json.loads(reply)
        return document


def _serve(control: socket.socket) -> None:
    """Answer requests until the harness closes its end."""
    from tests.chaos.collecting import collect

    _warm_up()
    # Children share this heap until they write to it, which collecting it does.
    gc.collect()
    gc.freeze()
    exits: dict[int, int] = {}
    alive: set[int] = set()
    while True:
        descriptors = array.array("i")
        room = socket.CMSG_SPACE(descriptors.itemsize)
        message, ancillary, _, _ = control.recvmsg(_REQUEST_BYTES, room)
        if not message:
            break
        for _, _, data in ancillary:
            descriptors.frombytes(data)
        request = json.loads(message)
        if "fork" in request:
            pid = os.fork()
            if pid == 0:
                control.close()
                talk = socket.socket(fileno=descriptors[0])
                code = 1
                try:
                    code = collect(talk, request["fork"])
                finally:
                    os._exit(code)
            os.close(descriptors[0])
            alive.add(pid)
            reply: dict[str, Any] = {"pid": pid}
        else:
            code = _wait_for(request["wait"], request["seconds"], exits)
            alive -= set(exits)
            reply = {"code": code}
        control.send(json.dumps(reply).encode())
    for pid in alive:
        os.kill(pid, signal.SIGKILL)


def _warm_up() -> None:
    """Do once what every collector does at its start, whatever it is asked for."""
    # Reading the certificates takes longer than all else that a client begins with.
    cached = functools.cache(ssl.create_default_context)
    cached(cafile=certifi.where())
    ssl.create_default_context = cached
    configure_mappers()


def _wait_for(pid: int, seconds: float, exits: dict[int, int]) -> int | None:
    deadline = time.monotonic() + seconds
    while pid not in exits:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            exits[pid] = os.waitstatus_to_exitcode(status)
        elif time.monotonic() >= deadline:
            return None
        else:
            time.sleep(0.002)
    return exits[pid]


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
