"""Small warehouses for the tests of the pages: filled without a Hub, published for real."""

from __future__ import annotations

import atexit
import shutil
import sys
import tempfile
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from spine import REGISTRY, day, head, model, moment, warehouse

from jobs import rank
from warehouse.published.publish import publish
from warehouse.ranking.boards import Board
from warehouse.records import HubModel, Parent, Verdict
from warehouse.registry import Family, Registry
from warehouse.snapshots import store

HOSTILE = "<script>alert(1)</script>"
"""What a repository must not be able to do to a page."""

NASTY = ['"><img src=x onerror=alert(1)>', "\u202egnp.exe\u2066", "quo'te\"d`{{7*7}}", "=cmd|'/c calc'!A1", "a" * 300]


class World:
    """A warehouse in memory, and the folder where it is published."""

    def __init__(
        self,
        folder: Path,
        boards: Sequence[Board] = (Board(name="families", entity="family"),),
        registry: Registry = REGISTRY,
    ) -> None:
        self.folder, self.boards, self.registry = folder, boards, registry
        self.db = warehouse()

    def look(self, number: int, models: Iterable[HubModel], verdict: Verdict = "complete", reason: str = "") -> None:
        """A snapshot of a day by its number."""
        shown = list(models)
        with self.db.transaction():
            store.write_snapshot(
                self.db,
                head(
                    store.next_snapshot_id(self.db, moment(number)),
                    number,
                    models=len(shown),
                    verdict=verdict,
                    verdict_reason=reason or f"{len(shown)} models, every listing read to its end",
                ),
                store.model_frame(shown),
            )

    def rank(self) -> None:
        """Bring the boards up to date."""
        with self.db.transaction():
            store.write_registry(self.db, self.registry)
            store.attribute(self.db, self.registry)
            rank.run(self.db, self.boards, self.registry)

    def alert(self, **more: Any) -> None:  # noqa: ANN401 any column
        """An alert, told on the console."""
        row = {
            "alert_id": "a1b2c3d4e5",
            "rule": "who-leads",
            "board": "families",
            "kind": "lead_change",
            "entity": "Beta",
            "rival": "Alpha",
            "state": "firing",
            "day": day(3),
            "confirmed_day": day(3),
            "title": "Beta takes the lead from Alpha on families",
            "value": 44.0,
            "rival_value": 40.0,
            "margin": 0.09,
            "confirm": 1,
            "snapshot_id": 20260504100000000,
            "slot": "lead",
            "why": "stands",
            "quality": "complete",
            "created_at": moment(3),
        } | more
        fill = {"VARCHAR": "", "INTEGER": 0, "BIGINT": 0, "BOOLEAN": False, "DOUBLE": 0.0}
        for name, kind, nullable in self.db.rows('SELECT column_name, column_type, "null" FROM (DESCRIBE alerts)'):
            if nullable == "NO" and name not in row:
                row[name] = fill.get(kind, [])
        self.db.execute(
            f"INSERT INTO alerts BY NAME SELECT {', '.join(f'${name} AS {name}' for name in row)}",
            row,
        )
        self.db.execute(
            "INSERT INTO deliveries BY NAME SELECT $id AS alert_id, 'console' AS channel, 'sent' AS status, "
            "1 AS attempts, $at AS sent_at, $at AS queued_at",
            {"id": row["alert_id"], "at": row["created_at"]},
        )

    def publish(self) -> Path:
        """The published file."""
        target = self.folder / "adoption.duckdb"
        publish(self.db, target)
        return target


def small(world: World) -> World:
    """Five days, on the fourth of which Beta passes Alpha; and an alert about it."""
    for number, (alpha, beta) in enumerate([(50, 30), (48, 36), (45, 41), (40, 44), (38, 52)]):
        world.look(number, _listing(alpha, beta))
    world.rank()
    world.alert()
    return world


def _listing(alpha: int, beta: int) -> list[HubModel]:
    child = (Parent("quantized", "alpha-lab/alpha-1"),)
    return [
        model("alpha-lab/alpha-1", alpha - 1, parameters=7_000_000_000, pipeline_tag="text-generation"),
        model("alpha-lab/alpha-1-gguf", 1, parents=child),
        model("beta-ai/beta-1", beta, downloads_all_time=900, parameters=500_000_000),
        model("gamma/gamma-1", 10),
    ]


def suspect(world: World) -> World:
    """`small`, and a sixth day that must not be judged by."""
    small(world)
    world.look(5, _listing(1, 1), "suspect", "98% of the counters stand still")
    world.rank()
    return world


def hostile(world: World) -> World:
    """Families, publishers and models with names that mean harm."""
    evil = Registry(
        [
            Family(name="Alpha", vendor=HOSTILE, country="US", publishers=("alpha-lab",)),
            *(
                Family(name=f"{HOSTILE}{number}{name}", vendor=name, country="CN", publishers=(f"evil-{number}",))
                for number, name in enumerate(NASTY)
            ),
        ]
    )
    world.registry = evil
    world.boards = (Board(name="families", entity="family"), Board(name="models", entity="model"))
    for number in range(4):
        world.look(
            number,
            [
                model("alpha-lab/alpha-1", 50),
                *(model(f"evil-{n}/{name}", 40 + number * 5 * (n + 1)) for n, name in enumerate(NASTY)),
            ],
        )
    world.rank()
    world.alert(title=f"{HOSTILE}{NASTY[1]} takes the lead", entity=NASTY[0], rival=HOSTILE, why=NASTY[2])
    return world


def one_look(world: World) -> World:
    """A single complete snapshot."""
    world.look(0, _listing(50, 30))
    world.rank()
    return world


def unread(world: World) -> World:
    """What there is when the first look came to nothing: boards, and nobody on them."""
    world.look(0, [], "failed", "https://huggingface.co cannot be read: answered 500 (4 attempts)")
    world.rank()
    return world


@cache
def published() -> Path:
    """`small`, published. For reading only: it is made once in a process."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder)
    return small(World(folder)).publish()


def now() -> datetime:
    """An hour after the last day of `small`."""
    return moment(4, 11)
