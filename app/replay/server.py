"""The replay market as a web application, and as a process."""

from __future__ import annotations

import asyncio
import errno
import signal
from collections.abc import Callable
from pathlib import Path

import structlog
from aiohttp import web

from app.config.settings import ReplaySettings
from app.core.clock import SystemClock
from app.core.exceptions import ConfigurationError
from app.core.market_identity import replay_identity
from app.replay.api import SpotApi
from app.replay.control import add_control_routes, add_served_route
from app.replay.door import Door
from app.replay.faults import FaultBook
from app.replay.limits import WeightLimiter
from app.replay.listings import ChangedListings
from app.replay.recording import RecordedMarket
from app.replay.request_log import RequestLog
from app.replay.served_log import ServedLog
from app.replay.simulated import SimulatedMarket
from app.replay.source import MarketSource
from app.replay.virtual_clock import SAVE_INTERVAL_SECONDS, VirtualClock

log = structlog.get_logger(__name__)

STATE_FILE = "replay_clock.json"

# Parts of a running application, for tests in the same process.
FAULTS = web.AppKey("faults", FaultBook)
REQUESTS = web.AppKey("requests", RequestLog)
SERVED = web.AppKey("served", ServedLog)


def build_source(settings: ReplaySettings) -> MarketSource:
    """The market that `settings` describe; raises `ConfigurationError`."""
    if settings.recording:
        return RecordedMarket(settings)
    return SimulatedMarket(settings)


def build_clock(
    settings: ReplaySettings, source: MarketSource, state_file: Path | None = None
) -> VirtualClock:
    """The market's clock, going on where `state_file` says it stopped."""
    recording = settings.recording and str(Path(settings.recording).resolve())
    market = f"{recording or settings.seed} from {source.first_start_ms}"
    return VirtualClock(
        source.first_start_ms, settings.speed, source.ends_ms, state_file, market
    )


def build_app(
    settings: ReplaySettings,
    source: MarketSource | None = None,
    clock: VirtualClock | None = None,
) -> web.Application:
    """The application: the exchange's paths behind one door, and `/replay/...`."""
    source = source or build_source(settings)
    clock = clock or build_clock(settings, source)
    faults = FaultBook(settings.faults, source.seed)
    requests = RequestLog()
    served = ServedLog() if settings.served_log else None
    listed = ChangedListings(source, faults)
    door = Door(
        api=SpotApi(listed, faults, settings.weight_per_minute, served),
        clock=clock,
        faults=faults,
        limiter=WeightLimiter(settings.weight_per_minute),
        requests=requests,
    )
    app = web.Application(client_max_size=1024 * 1024)
    add_control_routes(
        app.router, listed, clock, faults, requests, replay_identity(settings)
    )
    app[FAULTS], app[REQUESTS] = faults, requests
    if served is not None:
        app[SERVED] = served
        add_served_route(app.router, served)
    app.router.add_get("/{path:.*}", door.answer)
    return app


async def serve(
    settings: ReplaySettings,
    state_file: Path | None = None,
    ready: Callable[[int], None] | None = None,
    stop: asyncio.Event | None = None,
) -> None:
    """Serve until `stop` is set; `ready` is called with the port once it listens.

    Raises `ConfigurationError` when the address cannot be had.
    """
    stop = stop or asyncio.Event()
    source = build_source(settings)
    clock = build_clock(settings, source, state_file)
    # Hanging handlers must not outlive the clients they keep waiting.
    runner = web.AppRunner(
        build_app(settings, source, clock),
        access_log=None,
        handler_cancellation=True,
        shutdown_timeout=0.5,
    )
    await runner.setup()
    try:
        port = await _listen(runner, settings.host, settings.port)
        log.info(
            "replay_market_ready",
            host=settings.host,
            port=port,
            virtual_ms=clock.now_ms(),
            resumed=clock.resumed,
            speed=settings.speed,
        )
        if ready is not None:
            ready(port)
        await _keep_time(clock, stop)
    finally:
        await runner.cleanup()


def run_replay_market(settings: ReplaySettings, state_directory: str | Path) -> None:
    """Serve until SIGTERM or SIGINT, remembering the virtual time between runs."""
    asyncio.run(_run(settings, Path(state_directory) / STATE_FILE))


async def _run(settings: ReplaySettings, state_file: Path) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await serve(settings, state_file, stop=stop)


async def _listen(runner: web.AppRunner, host: str, port: int) -> int:
    """Open the socket; the port that was got, which matters when 0 was asked."""
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        reason = (
            "the address is in use by another process; stop it or set replay.port"
            if error.errno == errno.EADDRINUSE
            else (error.strerror or str(error))
        )
        # 78, so that no supervisor tries again and again.
        raise ConfigurationError(
            f"the replay market cannot listen on {host}:{port}: {reason}"
        ) from error
    return int(runner.addresses[0][1])


async def _keep_time(clock: VirtualClock, stop: asyncio.Event) -> None:
    """Save the virtual time a few times a second until `stop` is set."""
    system, stopping = SystemClock(), asyncio.ensure_future(stop.wait())
    while not stopping.done():
        clock.save()
        pause = asyncio.ensure_future(system.sleep(SAVE_INTERVAL_SECONDS))
        await asyncio.wait({stopping, pause}, return_when=asyncio.FIRST_COMPLETED)
        pause.cancel()
    clock.save(ahead=False)
