"""Is a flip true of the models, or only of the list? Judged on models seen at both ends, and those created between.

A list that merely grew makes flips: somebody found forty more repositories of one publisher, and it "passed" another.
"""

from __future__ import annotations

from warehouse.boards import Board
from warehouse.db import Database
from warehouse.flips import OrderChange
from warehouse.queries import sql
from warehouse.records import Flip
from warehouse.standings import members_sql

STANDS = "stands: it holds on the models seen at both ends"
LAUNCH = "launch: it holds with models created in between"
LIST_GROWTH = "list growth: it exists only because more repositories were listed"
NO_MODELS = "as published: the models behind it are not known"


Panel = dict[str, tuple[float, float]]
"""Entity -> (value on models seen at both ends, value on models created in between), both at the later end."""


def panel(db: Database, board: Board, before: int, after: int) -> Panel:
    """What every entity of a board has on the panel of two snapshots."""
    keys = {
        "before": before,
        "after": after,
        "since": db.value(sql("snapshot_taken_at"), {"snapshot_id": before}),
    }
    rows = db.rows(sql("panel", members=members_sql(board), measure=f"o.{board.measure}"), keys)
    return {entity: (same, created) for entity, same, created in rows}


def judge(board: str, change: OrderChange, known: Panel | None) -> Flip:
    """The flip of an order change, with its verdict (pure). `known` is None where the models are not known."""
    holds, verdict = (None, NO_MODELS) if known is None else _on_panel(change, known)
    value, rival_value = change.at.values[change.entity], change.at.values[change.rival]
    return Flip(
        flip_id=change.flip_id(board),
        board=board,
        kind=change.kind,
        entity=change.entity,
        rival=change.rival,
        day=change.at.day,
        value=value,
        rival_value=rival_value,
        margin=(value - rival_value) / value if value > 0 else 0.0,
        verdict=verdict,
        panel_holds=holds,
    )


def _on_panel(change: OrderChange, known: Panel) -> tuple[bool, str]:
    """Whether the newcomer leads on the panel, and in which words."""
    same, created = known.get(change.entity, (0.0, 0.0))
    rival_same, rival_created = known.get(change.rival, (0.0, 0.0))
    if same > rival_same:
        return True, STANDS
    if same + created > rival_same + rival_created:
        return True, LAUNCH
    return False, LIST_GROWTH
