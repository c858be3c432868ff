"""`crypto-bot backfill`: history in bulk."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import typer

from app.bootstrap import (
    Runtime,
    begin_run,
    build_clock,
    build_exchange,
    load_settings,
    open_database,
    require_exchange,
)
from app.cli.backfill_options import (
    BackfillOptions,
    find_archive_folder,
    find_recordings,
    require_past,
)
from app.cli.backfill_screen import Screen
from app.cli.replay import market_for_script
from app.config.settings import Settings
from app.core.clock import SystemClock
from app.core.exceptions import AppError, ConfigurationError, ExitCode, UnknownSymbol
from app.core.market_identity import state_directory
from app.domain.market import Market, MarketStatus
from app.domain.pairs import split_pair
from app.domain.timeframe import Timeframe
from app.exchange.archives.download import UrlArchives
from app.exchange.archives.layout import PUBLIC_ARCHIVE
from app.exchange.archives.recorded_names import RecordedName
from app.exchange.archives.source import ArchiveSource, FolderArchives
from app.exchange.budget import BACKFILL_RESERVE
from app.exchange.service import ExchangeService
from app.services.backfill.report import SeriesReport
from app.services.backfill.series_run import SeriesJob
from app.services.backfill.service import BackfillService
from app.services.backfill.storing import SliceStore
from app.services.backfill.trade_check import TradeChecker
from app.services.collection.ledger import Ledger
from app.services.market_history import register_market
from app.services.quarantine.replies import opened_for_run
from app.services.runs import end_run

_BEGINNING = datetime(2009, 1, 1, tzinfo=timezone.utc)


def run_backfill(config: Path | None, options: BackfillOptions) -> ExitCode:
    """Fill every series asked for; the exit code of the first that failed.

    A file that was refused is a failure, also where the exchange had its bars.
    """
    settings = load_settings(config, is_quiet=True)
    require_exchange(settings)
    recordings = find_recordings(options)
    find_archive_folder(options)  # a wrong one is told before anything is started
    with market_for_script(settings, config):
        with open_database(settings, "backfill") as database:
            clock = build_clock(settings)
            run_id = begin_run(settings, database, clock, "backfill")
            runtime = Runtime(settings, database, clock, run_id)
            try:
                with Screen(options.is_json) as screen:
                    command = _Command(runtime, options, recordings, screen)
                    reports = asyncio.run(command.run())
            except KeyboardInterrupt:
                typer.echo(
                    "stopped: what is stored stays, and the same command goes on "
                    "from there",
                    err=True,
                )
                raise
            finally:
                with database.session_scope() as session:
                    end_run(session, run_id, clock.now())
    screen.show(reports)
    failed = [report.exit_code for report in reports if report.error]
    if any(report.refused_files for report in reports):
        failed.append(ExitCode.FAILED)
    return failed[0] if failed else ExitCode.OK


@dataclass
class _Command:
    """One run of the command."""

    runtime: Runtime
    options: BackfillOptions
    recordings: list[tuple[Path, RecordedName]]
    screen: Screen

    async def run(self) -> list[SeriesReport]:
        """A report a series, in the order asked for."""
        runtime, options = self.runtime, self.options
        async with AsyncExitStack() as stack:
            exchange: ExchangeService | None = None
            if options.uses_exchange and not self.recordings:
                exchange = await stack.enter_async_context(
                    opened_for_run(
                        build_exchange(runtime, BACKFILL_RESERVE),
                        runtime.database,
                        runtime.clock,
                        runtime.run_id,
                    )
                )
            archives = _archives(runtime.settings, options)
            if isinstance(archives, UrlArchives):
                await stack.enter_async_context(archives)
            service = self._service(archives, exchange)
            server_now = runtime.clock.now()
            if exchange is not None:
                server_now = await exchange.server_time()
            require_past(options, server_now)
            if self.recordings:
                return await self._store_recordings(service, server_now)
            reports = []
            for symbol in options.symbols:
                reports += await self._fill(service, exchange, symbol, server_now)
            return reports

    def _service(
        self, archives: ArchiveSource | None, exchange: ExchangeService | None
    ) -> BackfillService:
        runtime = self.runtime
        settings, exchange_id = runtime.settings.collector, runtime.settings.exchange.id
        ledger = Ledger(
            runtime.run_id,
            settings.recheck_delays_seconds,
            settings.tail_grace_seconds,
        )
        store = SliceStore(
            runtime.database, runtime.clock, exchange_id, runtime.run_id, ledger
        )
        return BackfillService(
            store,
            archives,
            exchange,
            settings.page_limit,
            settings.tail_grace_seconds,
        )

    async def _fill(
        self,
        service: BackfillService,
        exchange: ExchangeService | None,
        symbol: str,
        server_now: datetime,
    ) -> list[SeriesReport]:
        reports = []
        for timeframe in self.options.timeframes:
            try:
                market = await _find_market(self.runtime, exchange, symbol)
                job = self._job(market, timeframe, server_now)
                slots = sum(
                    timeframe.count_bars(stretch.starts_at, stretch.ends_at)
                    for stretch in service.plan(job)
                )
                with self.screen.series(symbol, timeframe, slots) as on_slots:
                    report = await service.fill(job, server_now, on_slots)
                if slots and isinstance(service.archives, FolderArchives):
                    _tell_nothing_found(report, market[1], self.options)
                if self.options.with_trades and service.archives is not None:
                    await self._check_trades(service.archives, job, server_now, report)
                reports.append(report)
            except AppError as error:
                failed = SeriesReport(symbol, timeframe, error=str(error))
                failed.exit_code = error.exit_code
                reports.append(failed)
        return reports

    async def _check_trades(
        self,
        archives: ArchiveSource,
        job: SeriesJob,
        server_now: datetime,
        report: SeriesReport,
    ) -> None:
        runtime = self.runtime
        exchange_id = runtime.settings.exchange.id
        checker = TradeChecker(archives, runtime.database, exchange_id, runtime.run_id)
        check = await checker.check(job, server_now)
        report.refused_files += check.refused_files
        report.trade_files_read = check.files_read
        report.bars_compared = check.counts.compared
        report.findings = check.counts.found.total()
        report.quarantined += check.quarantined

    async def _store_recordings(
        self, service: BackfillService, server_now: datetime
    ) -> list[SeriesReport]:
        reports = []
        for path, name in self.recordings:
            pair = split_pair(name.symbol)
            if pair is None:
                raise ConfigurationError(
                    f"{path.name}: {name.symbol} ends with no known quote currency"
                )
            market = await _find_market(self.runtime, None, "/".join(pair))
            job = self._job(market, name.timeframe, server_now)
            with self.screen.series(market[1].symbol, name.timeframe, 0) as on_slots:
                reports.append(
                    await service.fill_from_file(job, path, server_now, on_slots)
                )
        return reports

    def _job(
        self, market: tuple[int, Market], timeframe: Timeframe, server_now: datetime
    ) -> SeriesJob:
        options = self.options
        until = timeframe.floor(server_now)
        if options.until is not None:
            until = min(until, timeframe.ceil(options.until))
        return SeriesJob(
            market[0],
            market[1].symbol,
            market[1].exchange_symbol,
            timeframe,
            options.since or _BEGINNING,
            until,
            options.is_recheck,
        )


async def _find_market(
    runtime: Runtime, exchange: ExchangeService | None, symbol: str
) -> tuple[int, Market]:
    """The stored market and its key; registers one that nobody has seen yet.

    Without an exchange to ask, the symbol itself tells base and quote currency.
    """
    exchange_id = runtime.settings.exchange.id
    if exchange is not None:
        market = await exchange.fetch_market(symbol)
    else:
        base, _, quote = symbol.partition("/")
        if not base or not quote.isalnum():
            raise UnknownSymbol(f"{symbol!r:.60} is not BASE/QUOTE, as BTC/USDT is")
        market = Market(
            exchange_id, symbol, base + quote, base, quote, MarketStatus.TRADING
        )
    with runtime.database.session_scope() as session:
        row = register_market(session, market, runtime.clock.now(), runtime.run_id)
        return row.id, market


def _tell_nothing_found(
    report: SeriesReport, market: Market, options: BackfillOptions
) -> None:
    """Make a series of which nothing was found anywhere a failed one."""
    is_empty = not (report.bars or report.files_read or report.refused_files)
    if is_empty and report.error is None:
        report.error = (
            f"--archives: {options.archives} holds no file of {market.exchange_symbol} "
            f"{report.timeframe} for the time asked for"
        )
        report.exit_code = ExitCode.FAILED


def _archives(settings: Settings, options: BackfillOptions) -> ArchiveSource | None:
    place = options.archives
    if place is None and settings.exchange.id == "binance":
        place = PUBLIC_ARCHIVE
    if place is None or place == "none" or options.from_folder is not None:
        return None
    if place.startswith(("http://", "https://")):
        cache = state_directory(settings) / "archives"
        # Real servers are asked at real pace, also where the market's time is not.
        return UrlArchives(place, cache, SystemClock())
    folder = find_archive_folder(options)
    if folder is None:
        return None
    return FolderArchives(folder, options.is_unverified_accepted)
