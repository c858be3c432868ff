"""A process that owns (or shares) an embedded server until it is killed.

Run as `python -m tests.core.embedded_owner FOLDER`; prints one JSON line, waits.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from app.core.postgres.access import connect_or_start
from app.core.postgres.identity import server_identity
from app.core.postgres.location import ServerLocation


def main() -> None:
    """Reach the server in the given folder, say how, and wait for input to end."""
    access = connect_or_start(ServerLocation(Path(sys.argv[1])), server_identity())
    pid = access.server.pid if access.server else 0
    report = {"owned": access.owned, "url": access.url, "server_pid": pid}
    print("ready", json.dumps(report), flush=True)
    sys.stdin.read()
    if access.server is not None:
        access.server.stop()


if __name__ == "__main__":
    main()
