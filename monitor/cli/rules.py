"""Commands about rules: whether they say what they should, and what is muted, held or refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.common import FormatOption, reading, say, settings
from monitor.clock import utc_now
from monitor.output import Format, print_rows
from warehouse.amounts import amount
from warehouse.errors import LeadchangeError

if TYPE_CHECKING:
    from alerts import rule_tests
    from alerts.rules import Rule
    from monitor.config import Settings
    from warehouse.records import Silence

silence = typer.Typer(help="Mute rules, boards or entities for a while.", no_args_is_help=True, rich_markup_mode=None)


def test_rules(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="YAML; docs/rules.md says how it is written.")],
) -> None:
    """Unit tests for rules, in the manner of `promtool test rules`."""
    failed = total = 0
    unread = []
    for path in files:
        try:
            outcomes = _outcomes(path)
        except LeadchangeError as error:  # the other files have something to say, too
            unread.append(str(error))
            continue
        for outcome in outcomes:
            total += 1
            failed += not outcome.passed
            typer.echo(f"{'ok  ' if outcome.passed else 'FAIL'} {path.name}: {outcome.name}")
            for line in outcome.diff():
                typer.echo(f"       {line}")
    if total or not unread:
        say(f"{total - failed} passed, {failed} failed")
    if unread:
        raise LeadchangeError("\n".join(unread))
    if failed:
        raise typer.Exit(1)


def _outcomes(path: Path) -> list[rule_tests.Outcome]:
    from alerts import rule_tests  # noqa: PLC0415 YAML
    from monitor import config  # noqa: PLC0415 see cli.common

    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise rule_tests.RuleTestError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise rule_tests.RuleTestError(f"{path}: no text: {error}") from None
    file = rule_tests.parse(text, path.name)
    rules = [*(config.load(path.parent / file.config).rules if file.config else ()), *file.rules]
    twice = [name for name, times in Counter(rule.name for rule in rules).items() if times > 1]
    if twice:
        raise rule_tests.RuleTestError(f"{path.name}: rule {twice[0]!r} is written twice")
    return [_outcome(path, test, rules) for test in file.tests]


def _outcome(path: Path, test: rule_tests.RuleTest, rules: Sequence[Rule]) -> rule_tests.Outcome:
    from alerts import rule_tests  # noqa: PLC0415 YAML

    try:
        return rule_tests.run(test, rules)
    except rule_tests.RuleTestError as error:
        raise rule_tests.RuleTestError(f"{path.name}: {test.name}: {error}") from None


@silence.command("add")
def silence_add(
    reason: Annotated[str, typer.Option(help="Why; it is shown with every message it mutes.")],
    author: Annotated[str, typer.Option(help="Who asks for it.")],
    rule: Annotated[str, typer.Option(help="Only this rule.")] = "",
    board: Annotated[str, typer.Option(help="Only this board.")] = "",
    entity: Annotated[str, typer.Option(help="Only alerts about this entity; a country by its name or its code.")] = "",
    hours: Annotated[float, typer.Option(min=0.01, help="How long it lasts.")] = 24.0,
    until: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M"],
            metavar="YYYY-MM-DD[THH:MM]",
            help="When it ends (UTC), instead of --hours.",
        ),
    ] = None,
    afterwards: Annotated[
        bool, typer.Option(help="Tell what changed meanwhile as one summary when it ends; or say nothing of it at all.")
    ] = True,
) -> None:
    """Mute alerts by rule, board or entity until an end."""
    from jobs.telling import naming  # noqa: PLC0415 DuckDB
    from monitor.config import ConfigError  # noqa: PLC0415 see cli.common
    from monitor.wiring import open_app  # noqa: PLC0415 the whole application
    from warehouse.records import Silence  # noqa: PLC0415 DuckDB
    from warehouse.state.outbox import Outbox, silence_id  # noqa: PLC0415 DuckDB

    chosen = settings()
    _known(chosen, rule, board)
    now = utc_now()
    end = until.replace(tzinfo=now.tzinfo) if until else _after(now, hours)
    if not (rule or board or entity):
        raise ConfigError(["a silence needs --rule, --board or --entity"])
    if not (reason.strip() and author.strip()):
        raise ConfigError(["a silence needs a --reason and an --author that say something"])
    if end <= now:
        raise ConfigError([f"the silence would end before it begins ({end:%Y-%m-%d %H:%M} UTC)"])
    with open_app(chosen) as application:
        whom = naming.entity(application.db, chosen.registry, entity) if entity else ""
        made = Silence(silence_id(rule, board, whom, now), rule, board, whom, now, end, author, reason, afterwards)
        application.write(lambda db: Outbox(db).add_silence(made))
    typer.echo(made.silence_id)


def _after(now: datetime, hours: float) -> datetime:
    """The moment so many hours from now."""
    from monitor.config import ConfigError  # noqa: PLC0415 see cli.common

    try:
        return now + timedelta(hours=hours)
    except (OverflowError, ValueError):
        raise ConfigError([f"--hours {hours:g}: no calendar goes that far; say less, and extend it later"]) from None


def _known(chosen: Settings, rule: str, board: str) -> None:
    """Refuse a silence about something that does not exist, or about a rule on a board that it does not watch."""
    from monitor.config import ConfigError  # noqa: PLC0415 see cli.common

    if board:
        chosen.board(board)
    watched = chosen.rule(rule).board if rule else board
    if board and watched != board:
        raise ConfigError([f"rule {rule} watches board {watched}, not {board}: this would mute nothing"])


@silence.command("list")
def silence_list(form: FormatOption = Format.table) -> None:
    """Every silence, newest first."""
    from alerts.names import with_names  # noqa: PLC0415 DuckDB
    from warehouse.state.outbox import Outbox  # noqa: PLC0415 DuckDB

    chosen = settings()
    with reading(chosen) as published:
        found = Outbox(published.db).silences()
    rows = [with_names(asdict(one), _kind(chosen, one) if form is Format.table else None) for one in found]
    columns = ["silence_id", "rule", "board", "entity", "starts_at", "ends_at", "author", "reason", "afterwards"]
    print_rows(rows, columns, form, empty="nothing is muted")


def _kind(chosen: Settings, muted: Silence) -> str | None:
    """What kind of entity a silence names: what its board ranks; on all boards, a country unless one is called so."""
    ranked = {board.name: board.entity for board in chosen.boards}
    boards = {rule.name: rule.board for rule in chosen.rules}
    if board := muted.board or boards.get(muted.rule):
        return ranked.get(board)
    return None if muted.entity in {*chosen.registry.names, *chosen.registry.publishers} else "country"


@silence.command("expire")
def silence_expire(
    which: Annotated[str, typer.Argument(metavar="SILENCE_ID", help="As `leadchange silence list` prints it.")],
) -> None:
    """End a silence now."""
    from monitor.wiring import open_app  # noqa: PLC0415 the whole application
    from warehouse.errors import NotKnownError  # noqa: PLC0415
    from warehouse.state.outbox import Outbox  # noqa: PLC0415 DuckDB

    with open_app(settings()) as application:
        known = {one.silence_id for one in Outbox(application.db).silences()}
        if which not in known:
            raise NotKnownError("silence", which, known, "has the id")
        application.write(lambda db: Outbox(db).expire_silence(which, application.now()))


def release() -> None:
    """Tell the alerts that were held back because one snapshot brought too many."""
    from jobs.telling import tell  # noqa: PLC0415 polars
    from monitor.wiring import open_app  # noqa: PLC0415 the whole application

    with open_app(settings()) as application:
        rules = {rule.name: rule for rule in application.settings.rules}
        count = tell.release(application.db, rules, application.now())
        application.publish()
    say(f"{amount(count, 'alert')} released; `leadchange deliver` sends them")


def register(app: typer.Typer, alerts: typer.Typer) -> None:
    """Add these commands to the program."""
    app.command("test-rules")(test_rules)
    app.add_typer(silence, name="silence")
    alerts.command("release")(release)
