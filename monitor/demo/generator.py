"""A Hub that never was: a seeded population of models that is born, downloaded, renamed, moved and deleted day by day.

The recordings hold no all-time counter and no day after day, so what is said of the counters' faults is measured here:
every count is true by construction until `monitor.demo.counter_faults` spoils it.

    sizes       a share never downloaded, a log-normal body, a Pareto tail; `CENSUS` has the quantiles of the recorded
                census of August 2026, `WHOLE_HUB` the totals known of three million models
    a day       size x weekday x season x growth x age x noise; the noise shrinks with the count, as counting does
    a launch    a few models of one publisher at once, most of all on their first days, then a long rest
    a window    the sum of exactly the last 30 days, so that both counters tell one story

A day is computed from its number alone, never from a stored past: the same seed gives the same Hub, and memory holds
one day of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import polars as pl
import pyarrow.compute as pc

WINDOW = 30
"""Days that the Hub's rolling counter covers."""
_NEVER = 1_000_000
_WEEK = (1.03, 1.06, 1.06, 1.04, 1.0, 0.68, 0.64)
_HOLIDAYS = 0.62
_GROWTH = 1.5
_NOISE = 0.2
_JOBS = 0.02
"""Share of the models that a weekly job downloads, and hardly anybody else."""
_BURSTS = 0.003
"""Chance of a day with 25 times the downloads: it enters the 30-day counter at once, and leaves it at once."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many 30-day downloads models have."""

    never: float
    """Share of models that nobody downloads."""
    median: float
    """Of the body."""
    spread: float
    """Standard deviation of the body's logarithm."""
    tail: float
    """Share of models in the tail."""
    tail_from: float = 100_000.0
    tail_exponent: float = 0.7
    """P(size > x) = (tail_from / x) ** tail_exponent, as the census' largest hundredth has it."""
    most: float = 2.6e8
    """The largest recorded 30-day count."""


CENSUS = Sizes(never=0.25, median=49.0, spread=3.08, tail=0.02)
WHOLE_HUB = Sizes(never=0.3, median=8.0, spread=2.4, tail=0.0035, tail_from=20_000.0, tail_exponent=1.0)


@dataclass(frozen=True, slots=True)
class Population:
    """What kind of Hub it is."""

    seed: int = 0
    models: int = 20_000
    """On the first day."""
    days: int = 365
    start: date = date(2025, 1, 6)
    sizes: Sizes = CENSUS
    births: float = 0.001
    """New models a day, as a share of those of the first day (the Hub: 3,000 of 3,000,000)."""
    deletions: float = 0.0005
    """Models deleted a day, as a share; hardly any is large."""
    purge: float = 0.01
    """Share of the models that are deleted on one day of the year, as spam is."""
    renames: float = 0.001
    """Share of the models that get another name some day."""
    moves: float = 0.0003
    """Share of the models that another publisher has some day."""
    launch_every: int = 45
    """Days between launches. The second one is big: in its first week all downloads together double."""

    @property
    def launches(self) -> list[int]:
        """Days of the launches."""
        return list(range(self.launch_every // 2, self.days, self.launch_every))


class GeneratedHub:
    """Frames of what a true Hub lists, one day after the other."""

    def __init__(self, population: Population) -> None:
        self.population = population
        self._models = _Builder(population).models()

    def days(self) -> Iterator[tuple[date, pl.DataFrame]]:
        """Each day, and all models listed on it.

        Columns: hub_id, repo_id, publisher, created_at, downloads_30d, downloads_all_time, likes. Ordered by creation.
        """
        window = pl.select(pl.repeat(0, self._models.height, dtype=pl.Int64)).to_series()
        for day in range(-WINDOW, 0):
            window += self._downloads(day)
        total = self._models["past"] + window
        for day in range(self.population.days):
            gained = self._downloads(day)
            window += gained - self._downloads(day - WINDOW)
            total += gained
            yield self.population.start + timedelta(days=day), self._listed(day, window, total)

    def _listed(self, day: int, window: pl.Series, total: pl.Series) -> pl.DataFrame:
        counted = self._models.with_columns(downloads_30d=window, downloads_all_time=total)
        publisher = pl.when(pl.col("moved") <= day).then("heir").otherwise("publisher")
        renamed = pl.when(pl.col("renamed") <= day).then(pl.lit("-renamed")).otherwise(pl.lit(""))
        return counted.filter(pl.col("born") <= day, pl.col("died") > day).select(
            "hub_id",
            repo_id=pl.format("{}/model-{}{}", publisher, "index", renamed),
            publisher=publisher,
            created_at="created_at",
            downloads_30d="downloads_30d",
            downloads_all_time="downloads_all_time",
            likes=(pl.col("appeal") * pl.col("downloads_all_time").cast(pl.Float64).sqrt() / 20).cast(pl.Int64),
        )

    def _downloads(self, day: int) -> pl.Series:
        """Downloads of every model on one day, those not yet born included: they have none."""
        seed = (self.population.seed * 4_000_037 + day + WINDOW) * 4
        rows = self._models.height
        drawn = self._models.with_columns(
            z=_normal(rows, seed), u=_uniform(rows, seed + 2), busy=_uniform(rows, seed + 3)
        )
        age = day - pl.col("born")
        launch = (1 + pl.col("surge") * (-age / pl.col("rest")).exp()) * (1 - (-(age + 1) / 1.5).exp())
        level = self._level(day)
        job = pl.when(pl.col("job") < 0).then(1.0).when(pl.col("job") == day % 7).then(6.9).otherwise(0.02)
        burst = pl.when(pl.col("busy") < _BURSTS).then(25.0).otherwise(1.0)
        rate = pl.col("rate") * level * (pl.col("drift") * day / 365).exp() * launch * job * burst
        noise = (_NOISE**2 + 1 / (pl.col("expected") + 1)).sqrt()
        counted = pl.col("expected") * (noise * pl.col("z") - noise**2 / 2).exp()
        return (
            drawn.with_columns(expected=pl.when(age >= 0).then(rate).otherwise(0.0))
            .select((counted + pl.col("u")).floor().cast(pl.Int64))
            .to_series()
        )

    def _level(self, day: int) -> float:
        """What all models have in common on a day: the weekday, the holidays, the growth of the Hub."""
        that = self.population.start + timedelta(days=day)
        holidays = (that.month, that.day) >= (12, 24) or (that.month, that.day) == (1, 1)
        return _WEEK[that.weekday()] * (_HOLIDAYS if holidays else 1.0) * math.pow(_GROWTH, day / 365)


class _Builder:
    """Draws the models: what is fixed about each over the whole time."""

    def __init__(self, population: Population) -> None:
        self.of = population
        self.rows = population.models + math.ceil(population.models * population.births * population.days)
        self._draws = 0

    def models(self) -> pl.DataFrame:
        """One row a model, by creation; days count from the first."""
        born = self._born()
        frame = pl.DataFrame({"born": born, "rate": self._rates(), "publisher": self._uniform()}).with_columns(
            publisher=self._publisher(pl.col("publisher")),
            died=self._died(),
            renamed=self._some_day(self.of.renames),
            surge=(self._normal() + 0.7).exp(),
            rest=5 + 25 * self._uniform(),
            drift=0.4 * self._normal() - 0.1,
            job=self._job(),
            appeal=self._normal().exp(),
            moved=self._some_day(self.of.moves),
            heir=self._publisher(pl.lit(self._uniform())),
        )
        return self._launched(frame.with_row_index("index")).with_columns(*self._names(), past=self._past())

    def _born(self) -> pl.Series:
        """Before the first day most are young; after it they come evenly."""
        later = self.rows - self.of.models
        before = (-1400 * self._uniform().head(self.of.models) ** 1.5 - 1).cast(pl.Int64).sort()
        return before.append(pl.int_range(later, eager=True) * self.of.days // max(later, 1)).alias("born")

    def _publisher(self, drawn: pl.Expr) -> pl.Expr:
        """Most publish one model, few very many."""
        publishers = max(3, round(0.43 * self.rows))
        return pl.format("lab-{}", (publishers * drawn**2.5).cast(pl.Int64))

    def _rates(self) -> pl.Series:
        """Downloads a day, by the distribution of sizes."""
        sizes = self.of.sizes
        drawn = pl.DataFrame({"kind": self._uniform(), "z": self._normal(), "u": self._uniform()})
        tail = pl.min_horizontal(sizes.tail_from * (1 - pl.col("u")) ** (-1 / sizes.tail_exponent), pl.lit(sizes.most))
        body = sizes.median * (sizes.spread * pl.col("z")).exp()
        size = (
            pl.when(pl.col("kind") < sizes.never)
            .then(0.0)
            .when(pl.col("kind") > 1 - sizes.tail)
            .then(tail)
            .otherwise(pl.min_horizontal(body, pl.lit(10 * sizes.tail_from)))
        )
        return drawn.select(size / WINDOW).to_series()

    def _died(self) -> pl.Expr:
        """Deletions hit the small; a purge hits whole publishers, small ones again."""
        every_day = self._some_day(min(1.0, self.of.deletions * self.of.days))
        purged = pl.col("publisher") < self.of.purge * 1.25
        small = pl.col("rate") < 10
        return (
            pl.when(small & purged & (pl.col("born") < 0))
            .then(self.of.days // 2)
            .when(small | (self._uniform() < 0.02))
            .then(every_day)
            .otherwise(_NEVER)
        )

    def _some_day(self, share: float) -> pl.Series:
        """A day for this share of the models, never for the others."""
        return _some(self._uniform(), share, self.of.days, _NEVER)

    def _job(self) -> pl.Series:
        """Weekday of models that a weekly job downloads, -1 for all others."""
        return _some(self._uniform(), _JOBS, 7, -1)

    def _launched(self, models: pl.DataFrame) -> pl.DataFrame:
        """Make launches of what is born on the days of launches."""
        everything = float(models["rate"].head(self.of.models).sum())
        for number, day in enumerate(self.of.launches):
            share, surge = (0.15, 9.0) if number == 1 else (0.01, 6.0)
            first = self.of.models + math.ceil((self.rows - self.of.models) * day / self.of.days)
            chosen = pl.col("index").is_between(first, first + 4)
            models = models.with_columns(
                born=pl.when(chosen).then(day).otherwise("born"),
                publisher=pl.when(chosen).then(pl.lit(f"lab-{number}")).otherwise("publisher"),
                rate=pl.when(chosen).then(everything * share / 5).otherwise("rate"),
                surge=pl.when(chosen).then(surge).otherwise("surge"),
                rest=pl.when(chosen).then(7.0).otherwise("rest"),
                died=pl.when(chosen).then(_NEVER).otherwise("died"),
                drift=pl.when(chosen).then(0.0).otherwise("drift"),
            )
        return models

    def _names(self) -> list[pl.Expr]:
        first = datetime.combine(self.of.start, time(), UTC)
        created = pl.lit(first) + pl.duration(days=pl.col("born"))
        identified = pl.struct(created.dt.epoch("s").alias("second"), "index")
        return [
            created.dt.cast_time_unit("us").alias("created_at"),
            identified.map_batches(_identities, return_dtype=pl.String).alias("hub_id"),
        ]

    def _past(self) -> pl.Expr:
        """All-time downloads from before the days that are counted one by one."""
        age = (-WINDOW - pl.col("born")).clip(0)
        return (pl.col("rate") * (0.9 * age + pl.col("surge") * pl.col("rest") * (age > 0))).cast(pl.Int64)

    def _uniform(self) -> pl.Series:
        self._draws += 1
        return _uniform(self.rows, self.of.seed * 1_000_003 + 7_000_000_000 + self._draws)

    def _normal(self) -> pl.Series:
        self._draws += 2
        return _normal(self.rows, self.of.seed * 1_000_003 + 7_000_000_000 + self._draws)


def _identities(models: pl.Series) -> pl.Series:
    """Of each (second of creation, index) what a model's `_id` looks like: 24 hexadecimal digits that begin with it."""
    fields = models.struct
    pairs = zip(fields.field("second"), fields.field("index"), strict=True)
    return pl.Series([f"{second:08x}{index:016x}" for second, index in pairs], dtype=pl.String)


def _some(drawn: pl.Series, share: float, below: int, otherwise: int) -> pl.Series:
    """Evenly spread whole numbers for this share of the rows, the same other number for the rest."""
    return (drawn / share * below).cast(pl.Int64).set(drawn >= share, otherwise)


def _uniform(rows: int, seed: int) -> pl.Series:
    """As many numbers from 0 up to 1; always the same for a seed."""
    return pl.Series("u", pc.random(rows, initializer=seed))


def _normal(rows: int, seed: int) -> pl.Series:
    """As many numbers of the standard normal distribution (Box and Muller's way)."""
    radius = (-2 * (1 - _uniform(rows, seed)).log()).sqrt()
    return radius * (2 * math.pi * _uniform(rows, seed + 1)).cos()
