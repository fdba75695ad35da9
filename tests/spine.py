"""A small world for the tests of the spine: three families, what they list, a warehouse, a channel that can fail."""

from __future__ import annotations

import atexit
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

from alerts.channels import ChannelError, Receipt
from alerts.message import Message, compose, summary
from alerts.rules import Rule
from jobs import collect, deliver, detect
from jobs.hub import HubSettings
from monitor.demo.hub import LocalHub, hub_id
from warehouse.db import Database
from warehouse.migrate import migrate
from warehouse.ranking.boards import Board
from warehouse.records import HubModel, Snapshot
from warehouse.registry import Family, Registry

FIRST_DAY = date(2026, 5, 1)

REGISTRY = Registry(
    [
        Family(name="Alpha", vendor="Alpha Lab", country="US", publishers=("alpha-lab",)),
        Family(name="Beta", vendor="Beta AI", country="CN", publishers=("beta-ai",)),
        Family(name="Gamma", vendor="Gamma", country="FR", publishers=("gamma",)),
    ]
)

FAMILIES, PUBLISHERS = Board(name="families", entity="family"), Board(name="publishers", entity="publisher")

BOARDS = (FAMILIES, PUBLISHERS)

RULE = Rule(name="who-leads", board="families", confirm=1, channels=("desk",))


def day(number: int) -> date:
    """Day 0 is the first."""
    return FIRST_DAY + timedelta(days=number)


def moment(number: int, hour: int = 10, minute: int = 0) -> datetime:
    return datetime(FIRST_DAY.year, FIRST_DAY.month, FIRST_DAY.day, hour, minute, tzinfo=UTC) + timedelta(days=number)


def model(repo_id: str, downloads: int | None = 1, **more: object) -> HubModel:
    """A model as a Hub lists it; its `_id` follows from its name unless it is given."""
    usual: dict[str, Any] = {
        "hub_id": hub_id(repo_id),
        "repo_id": repo_id,
        "publisher": repo_id.partition("/")[0],
        "downloads_30d": downloads,
        "downloads_all_time": None,
        "likes": 3,
        "created_at": datetime(2025, 1, 1, tzinfo=UTC),
    }
    return HubModel(**usual | more)


def listed(alpha: int, beta: int, gamma: int = 10) -> list[HubModel]:
    """One model of each family, with these downloads."""
    return [model("alpha-lab/alpha-1", alpha), model("beta-ai/beta-1", beta), model("gamma/gamma-1", gamma)]


def head(snapshot_id: int, number: int = 0, *, models: int = 0, **more: object) -> Snapshot:
    """A snapshot's head, of a day by its number."""
    usual: dict[str, Any] = {
        "snapshot_id": snapshot_id,
        "source": "hub",
        "taken_at": moment(number),
        "day": day(number),
        "verdict": "complete",
        "verdict_reason": "all there",
        "models": models,
    }
    return Snapshot(**usual | more)


def warehouse(path: Path | None = None, *, like: Path | None = None) -> Database:
    """A warehouse of this version's schema, or a copy of the one in a file; in memory unless a path is given."""
    like = like or migrated()
    if path:
        if not path.exists():
            shutil.copy(like, path)
        return Database.open(path)
    return InMemory(like)


class InMemory(Database):
    """A warehouse that is gone when closed, beside others in this process's one DuckDB: to start one takes longer."""

    def __init__(self, like: Path) -> None:
        super().__init__(_duckdb().cursor()._connection, None)
        self.name = f"warehouse_{next(_NUMBERS)}"
        self.execute(f"ATTACH ':memory:' AS {self.name}")
        self.execute(f"COPY FROM DATABASE {_beside(like)} TO {self.name}")
        self.execute(f"USE {self.name}")

    def cursor(self) -> Database:
        cursor = super().cursor()
        cursor.execute(f"USE {self.name}")
        return cursor

    def close(self) -> None:
        self._roll_back()  # what a test that failed has left open
        self.execute("USE memory")
        self.execute(f"DETACH {self.name}")
        super().close()


_NUMBERS = count()


@cache
def _duckdb() -> Database:
    return Database.in_memory()


@cache
def _beside(file: Path) -> str:
    """What a file is called that all warehouses are copies of."""
    name = f"template_{next(_NUMBERS)}"
    _duckdb().execute(f"ATTACH '{file}' AS {name} (READ_ONLY)")
    return name


@cache
def migrated() -> Path:
    """A new warehouse, to be copied: making one takes longer than most tests."""
    path = _templates() / "migrated.duckdb"
    with Database.open(path) as db:
        migrate(db, now=moment(0))
    return path


@cache
def lived(days: Callable[[Database], object]) -> Path:
    """A warehouse that lived through some days, to be copied: what many tests begin with is lived through once."""
    path = _templates() / f"{days.__module__}.{days.__name__}.duckdb"
    with warehouse(path) as db:
        days(db)
    return path


@cache
def _templates() -> Path:
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder)
    return folder


@contextmanager
def hub(models: Iterable[HubModel] = ()) -> Iterator[LocalHub]:
    """A local Hub that knows the three publishers."""
    with LocalHub({publisher: [] for publisher in REGISTRY.publishers}) as local:
        local.show(models)
        yield local


def look(
    db: Database,
    local: LocalHub,
    number: int,
    models: Sequence[HubModel] | None = None,
    *,
    hour: int = 10,
    boards: Sequence[Board] = (FAMILIES,),
) -> collect.Summary:
    """Show these models at the Hub and collect them, on a day by its number."""
    if models is not None:
        local.show(models)
    return collect.run(
        db,
        HubSettings(endpoint=local.endpoint, quota_share=1, attempts=1, timeout_seconds=10),
        REGISTRY,
        boards,
        token=None,
        now=moment(number, hour),
        clock=time.monotonic,
        day=day(number),
    )


def judge(
    db: Database, number: int = 0, *rules: Rule, hour: int = 11, boards: Sequence[Board] = (FAMILIES,)
) -> detect.Summary:
    """Detect, by one rule that asks for one day unless others are given."""
    return detect.run(db, boards, rules or (RULE,), REGISTRY, now=moment(number, hour))


@dataclass
class Inbox:
    """A channel that keeps what it got. What `answers` holds is raised first, one for each message."""

    name: str = "desk"
    answers: list[ChannelError] = field(default_factory=list)
    got: list[Message] = field(default_factory=list)

    def send(self, message: Message) -> Receipt:
        if self.answers:
            raise self.answers.pop(0)
        self.got.append(message)
        return Receipt(id=f"{self.name}-{len(self.got)}")

    @property
    def titles(self) -> list[str]:
        return [message.title for message in self.got]


def tell(db: Database, *channels: Inbox, at: datetime, patient: bool = True) -> deliver.Summary:
    """Deliver what is due at a moment."""
    return deliver.run(
        db,
        {channel.name: channel for channel in channels},
        deliver.Wording(lambda alert, _: compose(alert, picture=None, now=at), lambda alerts: summary(alerts, now=at)),
        now=lambda: at,
        sleep=lambda _: None,
        patient=patient,
    )


@contextmanager
def held_elsewhere(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that has a warehouse open."""
    code = "import sys; from pathlib import Path; from warehouse.db import Database\n"
    code += "with Database.open(Path(sys.argv[1])): print('open', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", code, str(path)]
    root = Path(__file__).parent.parent
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        yield process
        process.stdin.close()


CONFIGURATION = """
[hub]
endpoint = "{endpoint}"
quota_share = 1.0
timeout_seconds = 5
attempts = 1

[warehouse]
path = "warehouse.duckdb"
publish = "adoption.duckdb"

[registry]
bundled = false

[[family]]
name = "Alpha"
country = "US"
publishers = ["alpha-lab"]

[[family]]
name = "Beta"
country = "CN"
publishers = ["beta-ai"]

[[family]]
name = "Gamma"
country = "FR"
publishers = ["gamma"]

[[rule]]
name = "who-leads"
board = "families"
confirm = {confirm}
channels = ["outbox"]

[[channel]]
name = "outbox"
type = "folder"
path = "{folder}/outbox"
"""


def configure(folder: Path, endpoint: str, *, confirm: int = 1, more: str = "") -> Path:
    """A configuration of this small world, as a user writes one, and a new warehouse: making one takes long."""
    if not (folder / "warehouse.duckdb").exists():
        shutil.copy(migrated(), folder / "warehouse.duckdb")
    file = folder / "leadchange.toml"
    text = CONFIGURATION.replace("{endpoint}", endpoint).replace("{folder}", str(folder))
    file.write_text(text.replace("{confirm}", str(confirm)) + more, "utf-8")
    return file
