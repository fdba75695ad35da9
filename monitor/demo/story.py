"""The demo: the main job on recorded history, through the very code that polls the real Hub.

published monthly totals --backfill--> a board, its flips, one alert
a local Hub showing one recorded day after another --collect, detect, deliver--> standings, flips, alerts, outbox
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from importlib import resources
from pathlib import Path
from shlex import quote

import typer

from alerts.names import with_names
from monitor import config
from monitor.config import ConfigError, Settings
from monitor.demo.hub import LocalHub
from monitor.demo.recordings import DATA, num_models, snapshots
from monitor.output import Format, line_chart, print_rows
from monitor.progress import progress_bar
from monitor.series import read_series
from monitor.wiring import App, open_app
from warehouse.db import Database
from warehouse.published.reading import Reading

SERIES = "publisher-monthly"

QUERIES = (
    (
        "SELECT day, entity, rival, round(margin * 100, 1) AS lead_percent, verdict FROM flips "
        "WHERE board = 'publishers' AND 'meta-llama' IN (entity, rival) ORDER BY day"
    ),
    (
        "SELECT day, arg_max(entity, value) AS leader, round(max(share) * 100, 1) AS share_percent FROM standings "
        "WHERE board = 'countries' GROUP BY day ORDER BY day"
    ),
)
"""Two questions worth asking of the demo's file."""


@dataclass
class _RecordedClock:
    """Tells the time of the recorded day that the local Hub shows."""

    moment: datetime = field(default_factory=lambda: datetime(2026, 1, 1, tzinfo=UTC))

    def __call__(self) -> datetime:
        return self.moment


class _Player(App):
    """Publishes when a part of the story is told, and not after every change: nobody reads in between."""

    def publish(self) -> None:
        """Leave the published file as it is."""

    def show(self) -> None:
        """Publish."""
        App.publish(self)


def run(directory: Path) -> datetime:
    """Run the demo in `directory`, which is made anew.

    Returns:
        The moment of the last recorded look: the demo's "now".

    Raises:
        ConfigError: the directory holds something that is no demo.
    """
    _clear(directory)
    with LocalHub() as hub:
        settings = _configure(directory, hub.endpoint)
        clock = _RecordedClock()
        with open_app(settings, now=clock) as app:
            player = _Player(app.settings, app.db, app.now)
            _monthly(player, clock)
            _collect_days(player, hub, clock)
            player.show()
    _show(settings)
    return clock()


def _clear(directory: Path) -> None:
    """Remove an earlier demo; anything else is left alone."""
    try:
        if directory.exists() and any(directory.iterdir()):
            if not (directory / config.DEFAULT_NAME).is_file() or not (directory / "warehouse.duckdb").is_file():
                raise ConfigError([f"{directory} is not empty and no demo: name another with --dir"])
            shutil.rmtree(directory)
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError([f"{directory} cannot be used: {error.strerror}: name another with --dir"]) from None


def _configure(directory: Path, endpoint: str) -> Settings:
    """Write the demo's configuration and read it as any other."""
    text = resources.files("monitor.demo").joinpath(config.DEFAULT_NAME).read_text("utf-8")
    file = directory / config.DEFAULT_NAME
    file.write_text(text.replace("{endpoint}", endpoint), "utf-8")
    return config.load(file, {})


def _monthly(app: _Player, clock: _RecordedClock) -> None:
    """Two years of published monthly totals: what a naive reader sees, beside what the rule says."""
    source = DATA / "publisher_monthly.csv"
    typer.echo("1. Published monthly downloads of ten publishers, as a series (Model Pulse, 2024-07 to 2026-09)\n")
    clock.moment = datetime(2026, 10, 1, tzinfo=UTC)
    values = read_series(source, "month,publisher,downloads,exactness")
    app.backfill_series(SERIES, values, revision=source.name)
    app.show()
    with _published(app.settings) as published:
        points = published.values("monthly", ["Qwen", "meta-llama"])
        lines = {
            name: [(day, value) for day, entity, value in points if entity == name and day < date(2025, 9, 1)]
            for name in ("Qwen", "meta-llama")
        }
        typer.echo(line_chart("downloads a month", lines))
        flips = [row for row in published.flips(board="monthly") if row["kind"] == "lead_change"]
    typer.echo("\nWho looks at every month sees the lead change so often:\n")
    print_rows(flips, ["day", "entity", "rival", "value", "rival_value", "margin"], Format.table)
    typer.echo("\nOne rule says who comes near; the one that asks for three months in a row says once who leads:\n")
    app.detect()
    app.deliver()


def _collect_days(app: App, hub: LocalHub, clock: _RecordedClock) -> None:
    """Every recorded day, collected over HTTP, judged, and told."""
    days = list(snapshots(only_usable=False))
    typer.echo(f"\n2. {len(days)} recorded looks of 2026, served by a local Hub and collected from it over HTTP\n")
    with progress_bar() as bar:
        task = bar.add_task("collecting", total=len(days))
        for taken_at, models in days:
            clock.moment = taken_at
            hub.show(models, num_models(taken_at))
            app.collect()
            app.detect()
            app.deliver()
            bar.update(task, advance=1, description=f"collected {taken_at:%Y-%m-%d}")


def _show(settings: Settings) -> None:
    """What is now in the warehouse."""
    with _published(settings) as published:
        snapshots_ = published.snapshots(source="hub")
        typer.echo(
            f"\n{len(snapshots_)} snapshots, {sum(row['requests'] for row in snapshots_):,} requests; their verdicts:\n"
        )
        counts: dict[str, int] = {}
        for row in snapshots_:
            counts[row["verdict"]] = counts.get(row["verdict"], 0) + 1
        print_rows(
            [{"verdict": verdict, "snapshots": count} for verdict, count in counts.items()],
            ["verdict", "snapshots"],
            Format.table,
        )
        for name in ("families", "publishers", "countries"):
            rows = [with_names(row, published.kinds()[name]) for row in published.standing(name, top=5)]
            typer.echo(f"\n{name} on {rows[0]['day']}: {published.definitions()[name]}\n")
            print_rows(rows, ["rank", "entity", "value", "share", "previous_rank"], Format.table)
        flips = [row for row in published.flips(board="publishers") if "meta-llama" in (row["entity"], row["rival"])]
    typer.echo("\nFlips about meta-llama on the publishers' board:\n")
    print_rows(flips, ["day", "entity", "rival", "value", "rival_value", "margin", "verdict"], Format.table)
    _closing_words(settings)


def _closing_words(settings: Settings) -> None:
    """Where everything is, and what to try next."""
    folder = settings.warehouse.publish.parent
    config_file = folder / config.DEFAULT_NAME
    typer.echo(f"\nThe data: {settings.warehouse.publish} opens in any DuckDB from 1.5 on. Two queries worth trying:\n")
    for query in QUERIES:
        typer.echo(f'  leadchange --config {quote(str(config_file))} sql "{query}"\n')
    typer.echo(f"The messages, exactly as Slack and a mail server would get them: {folder / 'outbox'}")


@contextmanager
def _published(settings: Settings) -> Iterator[Reading]:
    with Database.open_published(settings.warehouse.publish) as db:
        yield Reading(db)
