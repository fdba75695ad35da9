"""Configuration: `leadchange.toml` -> `Settings`, every mistake found in one run, one line each.

Each room defines the settings it needs; here they are put together. Unknown keys are mistakes.
"""

from __future__ import annotations

import os
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from alerts.channels import CHANNELS, OFFERED, ChannelSettings
from alerts.channels.console import ConsoleSettings
from alerts.channels.secrets import SecretFile, Variable, read_secret
from alerts.rules import Rule
from jobs.digest import Digest
from jobs.hub_base import HubSettings
from jobs.schedule import problem_with
from warehouse.errors import LeadchangeError, NotKnownError, nearest, shown
from warehouse.ranking.boards import Board
from warehouse.registry import Family, Registry, bundled, merge
from warehouse.spelling import in_words, spelled

DEFAULT_NAME = "leadchange.toml"

BOARDS = (
    Board(name="families", entity="family"),
    Board(name="publishers", entity="publisher"),
    Board(name="countries", entity="country"),
    Board(name="models", entity="model"),
)
"""Boards that are always there; a configured board of the same name takes a default's place."""

RULES = (Rule(name="who-leads", board="families"),)
"""Rules in force where none is configured."""

_SECRETS = frozenset({"url", "password", "token", "secret"})


class ConfigError(LeadchangeError):
    """The configuration is wrong: one line for each mistake."""

    exit_code: ClassVar[int] = 2

    def __init__(self, mistakes: Sequence[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = tuple(mistakes)


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


def _names_a_file(path: Path) -> Path:
    if not path.name:
        raise ValueError("names no file")
    return path


FilePath = Annotated[Path, AfterValidator(_names_a_file)]


class WarehouseSettings(_Section):
    """Where the data is."""

    path: FilePath = Field(Path("leadchange-data/warehouse.duckdb"), description="the daemon's own file")
    publish: FilePath = Field(Path("leadchange-data/adoption.duckdb"), description="the copy for everybody's SQL")
    keep_daily_days: int = Field(
        400, ge=31, description="days for which every snapshot's counts are kept, 31 at least; then weekly"
    )


class ScheduleSettings(_Section):
    """When the daemon does what: cron expressions, UTC; one whose day never comes (`0 0 30 2 *`) is a mistake."""

    collect: str = Field("30 10 * * *", description="take a snapshot and judge it")
    deliver: str = Field("* * * * *", description="send what is due")
    census: str = Field("0 11 * * *", description="read every model on the Hub, where `[hub] census` is true")
    prune: str = Field("15 3 * * *", description="pack the counts of days that are over, give up what is not kept")


PAGES = frozenset({
    "api", "badge", "board", "charts", "docs", "embed", "family", "favicon.ico", "flips", "flips.atom", "healthz",
    "metrics", "openapi.json", "sql", "static",
})  # fmt: skip
"""What the addresses of the dashboard begin with. A path in front of them that did so, too, could not be told apart."""


def _stands_apart(address: str) -> str:
    first = urlsplit(address).path.strip("/").partition("/")[0]
    if first in PAGES:
        raise ValueError(f"its path must not begin like a page of the dashboard, as /{first} does")
    return address


_Address = Annotated[
    str,
    spelled(
        r"(https?://[^\s/?#]+(/[A-Za-z0-9._~-]+)*/?)?",
        "begin with https:// or http://, and have no spaces, no ? or #, and in a path letters, digits and ._~- only",
    ),
    AfterValidator(_stands_apart),
]


_Origin = Annotated[
    str,
    spelled(
        r"\*|https?://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:\d+)?",
        "be scheme and host in lower case, without a path, such as https://lab.example; or *, which is every page",
    ),
]


class WebSettings(_Section):
    """Where the dashboard listens."""

    host: str = Field("127.0.0.1", min_length=1, description="address to listen on")
    port: int = Field(8765, ge=0, le=65535, description="port to listen on")
    public_url: _Address = Field(
        "", description="address under which others reach it, for links in messages; its path stands before every page"
    )
    hosts: tuple[str, ...] = Field(
        (), description="more names under which it is asked for, e.g. behind a proxy; `*`: any (see operations.md)"
    )
    origins: tuple[_Origin, ...] = Field(
        (), description="whose pages may read this site in a browser, e.g. `https://lab.example`; `*`: everybody's"
    )
    token_env: Variable | None = Field(None, description="variable holding a token that every request must carry")
    token_file: SecretFile | None = Field(None, description="file holding that token")

    @property
    def token(self) -> str | None:
        """The token that every request must carry; None: anybody who reaches the address may read.

        Raises:
            SecretError: it is named and cannot be read.
        """
        if self.token_env is None and self.token_file is None:
            return None
        return read_secret(self.token_env, self.token_file, "the dashboard's token").get_secret_value()


class RegistrySettings(_Section):
    """Which families are polled."""

    bundled: bool = Field(default=True, description="false: only the families written in this file")
    only: tuple[str, ...] = Field((), description="names of families to poll; empty: all")


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that is configured, checked and put together."""

    source: Path | None
    """The file it was read from; None for the built-in defaults."""
    hub: HubSettings
    warehouse: WarehouseSettings
    schedule: ScheduleSettings
    web: WebSettings
    registry: Registry
    boards: tuple[Board, ...]
    rules: tuple[Rule, ...]
    channels: tuple[ChannelSettings, ...]
    digests: tuple[Digest, ...]

    def board(self, name: str) -> Board:
        """The board of this name; NotKnownError offers the nearest."""
        return _named("board", name, self.boards)

    def rule(self, name: str) -> Rule:
        """The rule of this name; NotKnownError offers the nearest."""
        return _named("rule", name, self.rules)

    def channel(self, name: str) -> ChannelSettings:
        """The channel of this name; NotKnownError offers the nearest."""
        return _named("channel", name, self.channels)

    def digest(self, name: str) -> Digest:
        """The digest of this name; NotKnownError offers the nearest."""
        return _named("digest", name, self.digests)


@dataclass(frozen=True, slots=True)
class Draft:
    """A configuration as far as it can be read, for who wants to know everything that is wrong with it."""

    settings: Settings
    mistakes: tuple[str, ...]
    """One line each."""
    unread: frozenset[str]
    """Keys (`hub.endpoint`) of sections with mistakes that are not rightly written; they stand at their defaults."""


SECTIONS: dict[str, type[BaseModel]] = {
    "hub": HubSettings,
    "warehouse": WarehouseSettings,
    "schedule": ScheduleSettings,
    "web": WebSettings,
    "registry": RegistrySettings,
}
"""`[name]` -> the model of its keys."""

LISTS: dict[str, type[BaseModel]] = {
    "family": Family,
    "board": Board,
    "rule": Rule,
    "channel": ChannelSettings,
    "digest": Digest,
}
"""`[[name]]` -> the model of its keys; a channel's `type` says which of CHANNELS."""

Model = TypeVar("Model", bound=BaseModel)
Named = TypeVar("Named", Board, Rule, ChannelSettings, Digest)


def find(path: Path | None, environment: Mapping[str, str]) -> Path | None:
    """The configuration file to read: the one named, LEADCHANGE_CONFIG's, ./leadchange.toml, or None.

    Raises:
        ConfigError: a file was named and is not there.
    """
    named = path or (Path(environment["LEADCHANGE_CONFIG"]) if environment.get("LEADCHANGE_CONFIG") else None)
    if named is not None and not named.is_file():
        raise ConfigError([f"{named}: no such configuration file; `leadchange init` writes one"])
    default = Path(DEFAULT_NAME)
    return named or (default if default.is_file() else None)


def load(path: Path | None = None, environment: Mapping[str, str] | None = None) -> Settings:
    """Read and check the configuration.

    Args:
        path: the file; None looks for one as `find` does.
        environment: variables to look at; the process's own when None.

    Raises:
        ConfigError: every mistake, one line each.
    """
    draft = read(path, environment)
    if draft.mistakes:
        raise ConfigError(draft.mistakes)
    return draft.settings


def read(path: Path | None = None, environment: Mapping[str, str] | None = None) -> Draft:
    """What `load` reads, with its mistakes beside it: entries with mistakes are left out, wrong keys of sections too.

    Raises:
        ConfigError: there is no such file, or it is no TOML.
    """
    environment = os.environ if environment is None else environment
    source = find(path, environment)
    tables = _tables(source) if source else {}
    reader = _Reader(source.name if source else "defaults", source.parent if source else Path())
    settings = _assemble(reader, tables, source, environment)
    return Draft(settings, tuple(reader.mistakes), frozenset(reader.unread))


def _tables(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8-sig"))  # some editors put a mark in front
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError([f"{path.name}: no valid TOML: {error}"]) from None
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from None


def template() -> str:
    """The commented file that `leadchange init` writes: every key, with its default."""
    return resources.files("monitor").joinpath(DEFAULT_NAME).read_text("utf-8")


class _Reader:
    """Reads tables into models and collects what is wrong with them."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder
        self.mistakes: list[str] = []
        self.unread: set[str] = set()

    def complain(self, where: str, what: str) -> None:
        self.mistakes.append(f"{self.name}: {where}{': ' if where else ''}{what}")

    def section(self, tables: Mapping[str, Any], name: str, model: type[Model]) -> Model:
        """The section of this name; what is missing or wrong in it has its default."""
        table = tables.get(name, {})
        return self.parse(model, table, f"[{name}]") or self.rest(model, table, name)

    def rest(self, model: type[Model], table: object, name: str) -> Model:
        """What is right in a section with mistakes. What is missing may be what is wrong: an `endpiont`, say."""
        right = dict(table) if isinstance(table, dict) else {}
        for key in _wrong_keys(model, right):
            del right[key]
        self.unread |= {f"{name}.{key}" for key in model.model_fields if key not in right}
        return _anchored(model.model_validate(right), self.folder)

    def table_list(self, tables: Mapping[str, Any], name: str, model: type[Model]) -> list[Model]:
        """The `[[name]]` tables that could be read."""
        entries = tables.get(name, [])
        if not isinstance(entries, list):
            self.complain(f"[[{name}]]", f"write it with double brackets, [[{name}]]: there may be several")
            return []
        found = (self.entry(name, model, entry, number) for number, entry in enumerate(entries, start=1))
        return [entry for entry in found if entry is not None]

    def entry(self, name: str, model: type[Model], entry: object, number: int) -> Model | None:
        """One `[[name]]` table."""
        label = entry.get("name", number) if isinstance(entry, dict) else number
        where = f"[[{name}]] {label!r}"
        if name == "channel" and isinstance(entry, dict):
            kind = entry.get("type")
            if kind not in CHANNELS:
                self.complain(where, _no_type(kind))
                return None
            channel = self.parse(CHANNELS[kind][0], entry, where)
            return channel if isinstance(channel, model) else None
        return self.parse(model, entry, where)

    def parse(self, model: type[Model], table: object, where: str) -> Model | None:
        """A table as a model, or None and its mistakes noted."""
        try:
            return _anchored(_validated(model, table), self.folder)
        except ValidationError as error:
            for mistake in _mistakes(error):
                self.complain(where, _describe(mistake, model))
            return None


def _validated(model: type[Model], table: object) -> Model:
    """A table as a model; pydantic would take `confirm = true` for 1, by which nobody means a number.

    Raises:
        ValidationError: it is none.
    """
    read = model.model_validate(table)
    written = table.items() if isinstance(table, dict) else ()
    wrong = [
        key for key, value in written if isinstance(value, bool) and type(getattr(read, key, value)) in (int, float)
    ]
    if wrong:
        raise ValidationError.from_exception_data(
            model.__name__, [{"type": "float_type", "loc": (key,), "input": None} for key in wrong]
        )
    return read


def _mistakes(error: ValidationError) -> list[Mapping[str, Any]]:
    """What is wrong with a table; a list of which an entry is wrong is not said to be too short besides."""
    found = error.errors()
    lists = {mistake["loc"][0] for mistake in found if len(mistake["loc"]) > 1}
    return [one for one in found if not (one["type"] == "too_short" and one["loc"][0] in lists)]


def _wrong_keys(model: type[BaseModel], table: Mapping[str, Any]) -> set[str]:
    """The keys of a section that cannot be read."""
    try:
        _validated(model, table)
    except ValidationError as error:
        return {str(mistake["loc"][0]) for mistake in error.errors()}
    return set()


def _no_type(kind: object) -> str:
    """Why a channel's type is none; None: it has none."""
    if kind is None:
        return f"type: field required: {', '.join(OFFERED)}"
    hint = nearest(str(kind), OFFERED)
    return f"type {kind!r} is none of {', '.join(OFFERED)}{hint if 'did you mean' in hint else ''}"


def _describe(mistake: Mapping[str, Any], model: type[BaseModel]) -> str:
    """One of pydantic's errors, for people; never the value of what may be a secret."""
    key = ".".join(str(part) for part in mistake["loc"])
    if mistake["type"] == "extra_forbidden" and key in _SECRETS and f"{key}_env" in model.model_fields:
        return f"{key}: a secret is never written here: use {key}_env or {key}_file"
    return in_words(mistake, _keys(model))


def _keys(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _assemble(
    reader: _Reader, tables: Mapping[str, Any], source: Path | None, environment: Mapping[str, str]
) -> Settings:
    """Every section read, then held against the others."""
    for key in tables:
        if key not in SECTIONS and key not in LISTS:
            reader.complain("", f"[{shown(key)}]: unknown section{nearest(key, [*SECTIONS, *LISTS])}")
    hub = reader.section(_with_endpoint(reader, tables, environment), "hub", HubSettings)
    warehouse = reader.section(tables, "warehouse", WarehouseSettings)
    schedule = reader.section(tables, "schedule", ScheduleSettings)
    web = reader.section(tables, "web", WebSettings)
    registry = _registry(reader, tables)
    boards = reader.table_list(tables, "board", Board)
    rules = reader.table_list(tables, "rule", Rule)
    channels = reader.table_list(tables, "channel", ChannelSettings)
    digests = reader.table_list(tables, "digest", Digest)
    for kind in ("board", "rule", "channel", "digest"):
        _unique(reader, tables, kind)
    settings = Settings(
        source=source,
        hub=hub,
        warehouse=warehouse,
        schedule=schedule,
        web=web,
        registry=registry,
        boards=_with_defaults(BOARDS, boards),
        rules=tuple(rules) if "rule" in tables else RULES,
        channels=_with_defaults((ConsoleSettings(name="console"),), channels),
        digests=tuple(digests),
    )
    _hold_rules_against(reader, settings, tables)
    _hold_schedule(reader, settings)
    if warehouse.path.resolve() == warehouse.publish.resolve():
        reader.complain("[warehouse]", "path and publish are one file: the published copy would replace the warehouse")
    ranked = {board.name for board in settings.boards}
    return replace(settings, rules=tuple(rule for rule in settings.rules if rule.board in ranked))


def _with_endpoint(reader: _Reader, tables: Mapping[str, Any], environment: Mapping[str, str]) -> Mapping[str, Any]:
    """HF_ENDPOINT wins over the file, as it does for every other program that speaks to the Hub."""
    endpoint = environment.get("HF_ENDPOINT")
    hub = tables.get("hub", {})
    if not endpoint or not isinstance(hub, dict):
        return tables
    try:
        HubSettings(endpoint=endpoint)
    except ValidationError as error:
        reader.mistakes += [f"HF_ENDPOINT: {_describe(mistake, HubSettings)}" for mistake in error.errors()]
        reader.unread.add("hub.endpoint")
        return tables
    return {**tables, "hub": {**hub, "endpoint": endpoint}}


def _anchored(model: Model, folder: Path) -> Model:
    """Relative paths are relative to the file that names them: a service has another current directory."""
    return model.model_copy(update={key: folder / value for key, value in model if isinstance(value, Path)})


def _registry(reader: _Reader, tables: Mapping[str, Any]) -> Registry:
    choice = reader.section(tables, "registry", RegistrySettings)
    families = reader.table_list(tables, "family", Family)
    known = merge(bundled() if choice.bundled else (), families)
    names = [family.name for family in known]
    strange = [name for name in choice.only if name not in names]
    for name in strange:
        if name not in _names(tables, "family"):
            reader.complain("[registry] only", str(NotKnownError("family", name, names)))
    registry = Registry(known, () if strange else choice.only)
    for problem in registry.problems():
        reader.complain("", problem)
    if not known and not reader.mistakes:
        reader.complain("[registry]", "bundled = false and no [[family]] is written: there is nothing to poll")
    return registry


def _unique(reader: _Reader, tables: Mapping[str, Any], kind: str) -> None:
    """Names must be written once, also by entries that are wrong in other ways."""
    named = Counter(name for entry in _entries(tables, kind) if isinstance(name := entry.get("name"), str))
    for name, times in named.items():
        if times > 1:
            reader.complain(f"[[{kind}]] {name!r}", f"written {times} times")


def _with_defaults(defaults: Sequence[Named], own: Sequence[Named]) -> tuple[Named, ...]:
    """The defaults, each replaced where it stands by the own entry of its name, then the other own ones."""
    in_place = {entry.name: entry for entry in defaults}
    in_place.update((entry.name, entry) for entry in own)
    return tuple(in_place.values())


def _hold_rules_against(reader: _Reader, settings: Settings, tables: Mapping[str, Any]) -> None:
    """Every rule and digest must name boards and channels that exist; also one that is wrong in other ways."""
    boards = _names(tables, "board") | {board.name for board in settings.boards}
    channels = _names(tables, "channel") | {channel.name for channel in settings.channels}
    references = (("board", "board", boards), ("boards", "board", boards), ("channels", "channel", channels))
    for kind in ("rule", "digest"):
        for entry in _entries(tables, kind):
            for key, named, known in references:
                for name in dict.fromkeys(_texts(entry.get(key))):
                    if name not in known:
                        reader.complain(f"[[{kind}]] {entry.get('name')!r}", str(NotKnownError(named, name, known)))


def _hold_schedule(reader: _Reader, settings: Settings) -> None:
    """Every cron expression must say something, and of a day that comes."""
    written = [(f"[schedule] {name}", str(cron)) for name, cron in settings.schedule]
    written += [(f"[[digest]] {digest.name!r} cron", digest.cron) for digest in settings.digests]
    for where, cron in written:
        if (problem := problem_with(cron)) is not None:
            reader.complain(where, problem)


def _names(tables: Mapping[str, Any], kind: str) -> set[str]:
    """Names as written, of entries that could not be read too: one mistake is not reported as two."""
    return {str(entry.get("name")) for entry in _entries(tables, kind)}


def _entries(tables: Mapping[str, Any], kind: str) -> list[dict[str, Any]]:
    """The `[[kind]]` tables as written."""
    entries = tables.get(kind, [])
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def _texts(value: object) -> list[str]:
    """The texts in what stands for a name or a list of names."""
    found = value if isinstance(value, list) else [value]
    return [name for name in found if isinstance(name, str)]


def _named(kind: str, name: str, entries: Sequence[Named]) -> Named:
    for entry in entries:
        if entry.name == name:
            return entry
    raise NotKnownError(kind, name, (entry.name for entry in entries))
