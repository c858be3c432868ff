"""What a forked child does: a real collector that ticks when the harness says so."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import traceback
from pathlib import Path
from typing import Any
from uuid import UUID

import ccxt.async_support  # noqa: F401 - imported before the fork, for all children

from app.bootstrap import Runtime, build_process
from app.config.settings import Settings
from app.core import failpoints
from app.core.database import Database
from app.core.exceptions import AppError, RetryableError
from app.core.failpoint_connections import ConnectionsInUse
from app.core.logging import configure_logging
from app.domain.process import ProcessName
from app.processes import collector
from app.processes.exchange_process import ExchangeProcess
from app.processes.lease_keeper import LeaseKeeper
from tests.chaos.mutants.planting import plant
from tests.chaos.shared_clock import SharedClock

_REQUEST_BYTES = 65_536


def collect(talk: socket.socket, order: dict[str, Any]) -> int:
    """Follow the harness's commands until it hangs up; the exit code."""
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    configure_logging("WARNING", "console")
    # Else each coroutine run in the main thread installs a handler, which is dear.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # Enough to see that checks do no harm; all of them would take half of a pass.
    collector._CHECKS_PER_PASS = 3
    plant(order["mutant"])
    os.environ["CHAOS_COLLECTOR"] = str(order["number"])
    os.environ["CHAOS_FOLDER"] = str(Path(order["clock"]).parent)
    if not order["leased"]:
        _share_the_work()
    failpoints.arm(order["failpoints"])
    clock = SharedClock(Path(order["clock"]))
    settings = Settings.model_validate_json(order["settings"])
    database = Database(settings.database, order["url"], application_name="collector")
    failpoints.use_connections(ConnectionsInUse(database.engine))
    runtime = Runtime(settings, database, clock, UUID(order["run_id"]))
    process = build_process(ProcessName(order["process"]), runtime)
    if order["runs"]:
        talk.send(b'{"ready": true}')
        return int(process.run())
    assert isinstance(process, ExchangeProcess)
    process.bridge.run(process.open())
    while command := talk.recv(_REQUEST_BYTES):
        request = json.loads(command)
        if "arm" in request:
            failpoints.arm(request["arm"])
        talk.send(json.dumps(_tick(process, clock)).encode())
    with contextlib.suppress(AppError):
        process.bridge.close(process.close())
    return 0


def _share_the_work() -> None:
    """Let two write the same series at once, as a back-fill beside the collector."""
    LeaseKeeper.hold = lambda self: True  # type: ignore[method-assign]
    LeaseKeeper.check = lambda self, session: None  # type: ignore[method-assign]
    LeaseKeeper.close = lambda self: None  # type: ignore[method-assign]


def _tick(process: ExchangeProcess, clock: SharedClock) -> dict[str, Any]:
    """One pass as `BaseProcess` makes it; what became of it."""
    try:
        process.tick(clock.now())
    except (RetryableError, OSError) as error:
        return {"error": f"{type(error).__name__}: {error}"}
    except AppError as error:
        return {"defect": f"{type(error).__name__}: {error}"}
    except Exception as error:
        traceback.print_exc()
        return {"defect": f"{type(error).__name__}: {error}"[:600]}
    return {"error": "stands by"} if process.is_standing_by else {}
