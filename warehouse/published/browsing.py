"""What pages, reports and metrics ask of the published file, beyond what the command line asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from warehouse.published.reading import WRONG_CLOCK, Reading, Rows
from warehouse.queries import sql

TOGETHER = 10
"""Who are first together are named up to so many."""

Line = tuple[date, str, float, float | None, int]
"""(day, entity, value, share, rank)"""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which flips are meant; None stands for all."""

    board: str | None = None
    kind: str | None = None
    entity: str | None = None
    since: date | None = None
    ranked: str | None = None
    """What the board ranks: a family and a publisher may have the same name."""

    def parameters(self) -> dict[str, Any]:
        """As the queries want them."""
        return asdict(self) | {"since": self.since or date.min}


class Browsing(Reading):
    """The published file, for people who look around."""

    def leaders(self) -> Rows:
        """Every board in its configured order: its definition, who leads, since when, by how much; None when empty."""
        return self.db.records(sql("board_leaders"), {"most": TOGETHER})

    def looks(self, now: datetime) -> Rows:
        """The last look at every source up to now, the Hub first."""
        return self.db.records(sql("last_looks"), {"until": now + WRONG_CLOCK})

    def unjudged_days(self, source: str) -> Rows:
        """Days of a source that are not judged by: day, verdict, verdict_reason."""
        return self.db.records(sql("unjudged_days"), {"source": source})

    def lines(self, board: str, entities: Sequence[str]) -> list[Line]:
        """Value, share and rank of some entities, day by day."""
        return self.db.rows(sql("board_lines"), {"board": board, "entities": list(entities)})

    def newest_flips(self, chosen: Filter = Filter(), *, most: int = 100, skip: int = 0) -> Rows:
        """Flips, newest first."""
        return self.db.records(sql("flips_newest_first"), chosen.parameters() | {"most": most, "skip": skip})

    def notable_flips(self, most: int) -> Rows:
        """Flips among the first five of a board that are true of the models, newest first."""
        return self.db.records(sql("notable_flips"), {"most": most})

    def count_flips(self, chosen: Filter = Filter()) -> int:
        """How many flips there are."""
        return int(self.db.value(sql("flips_counted"), chosen.parameters()))

    def flip(self, flip_id: str) -> dict[str, Any] | None:
        """One flip, with its board's definition and the values at both ends."""
        rows = self.db.records(sql("flip_by_id"), {"flip_id": flip_id})
        if not rows:
            return None
        flip = rows[0]
        pair = [flip["entity"], flip["rival"]]
        keys = {"board": flip["board"], "day": flip["previous_day"], "entities": pair}
        before: dict[str, float] = dict(self.db.rows(sql("values_on_day"), keys))
        return flip | {"previous_value": before.get(pair[0]), "previous_rival_value": before.get(pair[1])}

    def lost_flip(self, flip_id: str) -> dict[str, Any] | None:
        """What was told of a flip that is not on record any more, and what became of it; None when nothing was."""
        rows = self.db.records(sql("lost_flip"), {"flip_id": flip_id})
        return rows[0] if rows else None

    def newest_alerts(self, most: int = 50) -> Rows:
        """What the rules said, newest first."""
        return self.db.records(sql("alerts_newest_first"), {"most": most})

    def family(self, name: str) -> dict[str, Any] | None:
        """A family of the registry: vendor, country, publishers."""
        rows = self.db.records(sql("family_by_name"), {"family": name})
        return rows[0] if rows else None

    def families(self) -> Rows:
        """The registry as it stands in the file, with former names."""
        return self.db.records(sql("known_families"))

    def family_names(self) -> list[str]:
        """The families of the registry."""
        return [name for (name,) in self.db.rows(sql("family_names"))]

    def family_places(self, family: str) -> Rows:
        """Where it stands on every board of families."""
        return self.db.records(sql("family_places"), {"family": family})

    def family_models(self, family: str, most: int = 100) -> Rows:
        """Its models with their last counts, most downloaded first."""
        return self.db.records(sql("family_models", counts=sql("last_counts")), {"family": family, "most": most})

    def family_relations(self, family: str) -> Rows:
        """How its models descend from it, counted."""
        return self.db.records(sql("family_relations", counts=sql("last_counts")), {"family": family})

    def family_publishers(self, family: str, most: int = 20) -> Rows:
        """Who publishes its models, the most downloaded first."""
        return self.db.records(sql("family_publishers", counts=sql("last_counts")), {"family": family, "most": most})

    def counted(self, question: str) -> list[tuple[Any, ...]]:
        """One of the counts that the metrics are made of, by the name of its query: labels, then the value."""
        return self.db.rows(sql(question))

    def described(self) -> Rows:
        """Every relation and column with its comment."""
        return self.db.records(sql("described_columns"))
