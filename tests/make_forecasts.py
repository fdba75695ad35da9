"""docs/forecasts.md from the bundled data: what forecasts say, and how often that came true.

    python -m tests.make_forecasts [--demo DIR]

Runs the demo first, unless one is named. tests/test_forecasts.py fails when the page is not what this makes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from unittest import mock

from tests.make_backtests import months, table, written
from warehouse.db import Database
from warehouse.forecasts import forecast, scoring
from warehouse.forecasts.forecast import History
from warehouse.forecasts.scoring import Said
from warehouse.published.reading import Reading

PAGE = Path(__file__).parent.parent / "docs" / "forecasts.md"

BOARDS = ("publishers", "families", "countries")
"""Those of the demo, made of the looks of 2026."""

BEFORE = (0, 12, 36)
"""How many of its first months a publisher is taken to have had before the series begins, where that is added up."""

CHANGED = {
    "as they are": (1.0, 1.0),
    "half the step": (0.5, 1.0),
    "twice the step": (2.0, 1.0),
    "half the weight": (1.0, 0.5),
    "twice the weight": (1.0, 2.0),
}
"""What the typical step and its weight are multiplied by, to see what hangs on them."""


def page(published: Path) -> str:
    """The whole page, from the demo's published file and the bundled series."""
    with Database.open_published(published) as db:
        looks = {board: Reading(db).history(board, ever=True) for board in BOARDS}
        models = Reading(db).history("models", ever=True)
    histories = {"monthly": monthly()} | looks
    said = {name: list(scoring.told(history, totals=False)) for name, history in histories.items()}
    sections = [
        *_head(histories),
        *_flows(said),
        *_totals(),
        *_models(models),
        *_constants(histories),
        _limits(histories),
    ]
    return "\n".join(sections) + "\n"


def monthly() -> History:
    """The published monthly totals, as a board's history."""
    return [(month.day, month.values) for month in months()]


def added_up(before: int) -> History:
    """The same as totals that grow, each beginning with so many of its first months."""
    totals: dict[str, float] = {}
    found = []
    for day, values in monthly():
        for name, value in values.items():
            totals[name] = totals.get(name, before * value) + value
        found.append((day, dict(totals)))
    return found


def _head(histories: dict[str, History]) -> Iterator[str]:
    count, looks = len(histories["monthly"]), len(histories["publishers"])
    step, weight = forecast.TYPICAL_STEP, forecast.TYPICAL_WEIGHT
    yield f"""\
# Who may pass whom, and how often such forecasts came true

Made by `python -m tests.make_forecasts` from the data that comes with leadchange; do not edit. What lies ahead on your
own data: `leadchange forecast [BOARD]`, the pages of boards, `/api/boards/BOARD/forecast`, the digest, and in an alert
about a lead the chance that the rival is back. How such forecasts did on it: `leadchange forecast BOARD --score`.

Trackers tell when one family passed another. None that we know of says when it may, or how often it was right. These
are, as far as we know, the first scored forecasts of the field; read the last section before quoting them.

## What is said

Of each two among the first ten of a board of families, publishers or countries: the chance that the one behind has been
ahead on a day within 30, 90 and 180 days; and by when that chance is one in ten (`likely_from`), one in two (`even_by`)
and nine in ten (`likely_by`), as far as that is within 180 days. Nothing is said of two who were not both seen on two
days that are 28 days apart.

Of *counts of a period* (30, 28 and 7 days, published series) only the logarithm of the ratio of the two is looked at:

    distance = ln(ahead / behind)
    step     = (n * median(change in 28 days) / 0.6745 + {weight} * {step}) / (n + {weight})
    chance   = 2 * N(-(distance + 0.5826 * step) / (step * sqrt(days / 28)))

A change is taken between each look and the last one that is at least 28 days older, of the last two years, and divided
by the root of how many times 28 days the two are apart; n is how many times 28 days all of them take, and not more than
there are. The median, because one launch or one broken counter would stay in a mean square for years. The chance is
that of a random walk that is looked at once in 28 days (Broadie, Glasserman and Kou 1997); N is the normal
distribution. A counter of 30 days is smooth enough for that to do for a look a day; by counts of 7 days two who are
close pass one another more often than is said. There is no trend in it, for the reason that the tables give.

Of *totals* (all-time downloads, likes, derivatives) it is the ratio of what the two grew by in 28 days that walks so,
and here the trend is everything: what grew by G more than the other has closed a gap of G. The chance is that the mean
of the walk has done it on the likeliest day up to then, so that of having done it on any of them is a little higher; t
is in spans of 28 days, and what did not grow counts as grown by one:

    needed   = ln(1 + gap / (growth ahead * t))
    chance   = N((ln(growth behind / growth ahead) - needed) / (step * sqrt(t / 3)))

## Counts of a period: how often it came

Said on every day of a history that was recorded, by what was known on that day, and held against the days that
followed: {count} months of 10 publishers (`publisher_monthly.csv`, Model Pulse), and {looks} complete looks of 2026
(`hub_snapshots_2026`) as three boards rank them. A horizon ends with its last look, and may be a tenth longer or
shorter; the chance is that for so many days.

*Said* is the mean of the chances, *came* how many came true. *Skill* is 1 - Brier score / that of somebody who always
says *came* (which nobody knows beforehand): 1 knows everything, 0 nothing, below 0 misleads. *The line* is what people
do by eye: a straight line through the gap now and 28 days ago.
"""


def _flows(said: dict[str, list[Said]]) -> Iterator[str]:
    yield _scores(said)
    everything = [one for found in said.values() for one in found]
    yield "\nBy the chance that was said, of all these together:\n"
    yield table(
        ("said between", "forecasts", "said", "came"),
        [
            (f"{one.low:.0%} and {one.high:.0%}", f"{one.forecasts:,}", f"{one.said:.0%}", f"{one.came:.0%}")
            for one in scoring.bins(everything)
        ],
    )
    worst = max(score.line_skill or 0 for found in said.values() for score in scoring.scores(found))
    yield f"""
The straight line misleads at every horizon of every history (at best {worst:.2f}).
"""


def _scores(said: dict[str, list[Said]]) -> str:
    return table(
        ("history", "days ahead", "forecasts", "said", "came", "skill", "the line"),
        [
            (
                name,
                score.horizon,
                f"{score.forecasts:,}",
                f"{score.said:.1%}",
                f"{score.came:.1%}",
                _skill(score.skill),
                _skill(score.line_skill),
            )
            for name, found in said.items()
            for score in scoring.scores(found)
        ],
    )


def _skill(skill: float | None) -> str:
    return "" if skill is None else f"{skill:.2f}"


def _totals() -> Iterator[str]:
    yield """\
## Totals

No recorded history has an all-time counter. These are the months of the same series added up, each publisher beginning
with none, twelve or thirty-six times its first month.
"""
    yield _scores({f"{before} months before": list(scoring.told(added_up(before), totals=True)) for before in BEFORE})


def _models(models: History) -> Iterator[str]:
    yield """
## Single models

They rise and fade too quickly. On the looks of 2026 the same forecasts of each two of the first ten models knew next to
nothing at 90 days, so boards of models have none.
"""
    yield _scores({"models": list(scoring.told(models, totals=False))})


def _constants(histories: dict[str, History]) -> Iterator[str]:
    step, weight = forecast.TYPICAL_STEP, forecast.TYPICAL_WEIGHT
    yield f"""
## The constants

Three were chosen by hand, on these histories: the typical step ({step} in 28 days), its weight (as much as {weight}
spans of a pair's own past), and 28 days. With others the skills at 90 days would be:
"""
    rows = []
    for name, (steps, weights) in CHANGED.items():
        with mock.patch.multiple(forecast, TYPICAL_STEP=step * steps, TYPICAL_WEIGHT=weight * weights):
            found = [scoring.scores(list(scoring.told(history, totals=False))) for history in histories.values()]
        skills = [score.skill for scores in found for score in scores if score.horizon == 90]
        rows.append((name, *map(_skill, skills)))
    yield table(("constants", *histories), rows)


def _limits(histories: dict[str, History]) -> str:
    spans = [_months(histories[name]) for name in ("monthly", "publishers")]
    return f"""
## What this rests on

- Two sources, of {spans[0]} and {spans[1]} months, and constants that were chosen on them. Neighbouring days of a pair
  say nearly the same, and pairs share their members: the independent forecasts are far fewer than the table counts.
- No history with a look a day is among them. That spans of 28 days are compared, and not neighbouring days, is to make
  daily looks say the same as monthly ones; that they do is tested on walks only.
- The months are the author's estimate before 2025-03 and interpolated over gaps; the looks of 2026 are lists that grew,
  so some passages are list growth.
- A history is taken as it is known now. What was said on a day is not stored: when a board is defined anew, so is its
  past.
- Totals were scored on sums of months only: the recorded looks have no all-time counts, and likes for few models.
- Pairs are forecast one by one, so the chances of a board need not agree with one another.
- A forecast knows of no launch that is to come."""


def _months(history: History) -> int:
    return round((history[-1][0] - history[0][0]).days / 30.4)


if __name__ == "__main__":
    written(PAGE, page, __doc__)
