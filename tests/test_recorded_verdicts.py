"""The verdict on all 53 recorded looks agrees with the index beside them, which is read here and nowhere else."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection
from datetime import datetime
from functools import cache
from itertools import islice

import polars as pl
from examples import THOROUGH
from sources import Source, whole
from spine import warehouse

from jobs import collect
from jobs.hub import HubSettings
from monitor.demo.hub import LocalHub
from monitor.demo.recordings import DATA, num_models, snapshots
from warehouse.records import HubModel
from warehouse.registry import Registry, bundled

MEANING = {"ok": "complete", "partial_run": "partial", "repeat": "suspect"}


@cache
def looks() -> list[tuple[datetime, list[HubModel]]]:
    return list(snapshots(only_usable=False))


def expected() -> dict[datetime, str]:
    index = pl.read_csv(DATA / "hub_snapshots_2026_index.csv", try_parse_dates=True)
    return {moment: MEANING[reason] for moment, reason in index.select("taken_at", "reason").iter_rows()}


def judged(publishers: Collection[str] | None) -> dict[datetime, str]:
    """The verdicts on the lists of these publishers, or of everybody."""
    source = Source()
    verdicts = {}
    for moment, models in looks():
        stated = {name: count for name, count in num_models(moment).items() if not publishers or name in publishers}
        seen = [one for one in models if not publishers or one.publisher in publishers]
        verdicts[moment] = source.look_at(moment, whole(seen, stated)).verdict
    return verdicts


def test_the_index_holds_what_is_to_be_found() -> None:
    assert Counter(expected().values()) == {"complete": 21, "partial": 15, "suspect": 17}


def test_every_verdict_on_what_the_registry_polls_agrees_with_the_index() -> None:
    assert judged(frozenset(Registry(bundled()).publishers)) == expected()


def test_every_verdict_on_the_whole_lists_agrees_with_the_index() -> None:
    assert judged(None) == expected()


def test_the_first_looks_collected_over_http_agree_with_the_index() -> None:
    """Of the first thirteen the last four are of every kind; the demo collects all."""
    registry = Registry(bundled())
    with warehouse() as db, LocalHub() as hub:
        settings = HubSettings(endpoint=hub.endpoint, quota_share=1)
        for moment, models in islice(looks(), 0 if THOROUGH else 9, 13):
            hub.show(models, num_models(moment))
            summary = collect.run(db, settings, registry, [], token=None, now=moment, clock=time.monotonic)
            assert summary.snapshot.verdict == expected()[moment], summary.snapshot
