"""The reference pages: `python -m monitor.docs` writes them from the program, a test says when they are old.

the typer application  ->  docs/cli.md
the pydantic models    ->  docs/configuration.md
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from enum import Enum
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from alerts.channels import CHANNELS, OFFERED
from monitor.cli.app import app
from monitor.config import LISTS, SECTIONS

FOLDER = Path(__file__).parent.parent / "docs"

WIDTH = 100
"""Columns of the help texts, whatever the terminal."""

_SOURCE = "<!-- Written by `make docs` from the program itself; changes made here are lost. -->"

_EXIT_CODES = """\
| code | means |
|---|---|
| 0 | done |
| 1 | a bug, with its traceback; `test-rules`: a test failed |
| 2 | usage or configuration: what to mend is said on stderr |
| 3 | a source could not be read completely: what was read is kept as a `partial` or `failed` snapshot |
| 4 | something was not delivered: it stays queued, or is a dead letter; see `deliveries` |
| 5 | the warehouse is locked, damaged or gone, or its disk is full: what to do is said on stderr |
| 130 | interrupted with Ctrl-C |"""

_HEAD = """\
Data goes to stdout; progress, logs and errors go to stderr. `--config PATH` stands before or after the command. Without
it the configuration is the file that `LEADCHANGE_CONFIG` names, else `./leadchange.toml`; where there is none, the
defaults are in force, with all data under `./leadchange-data/`."""

_FILE = """\
`leadchange init` writes a commented `leadchange.toml`; `leadchange check` says what is wrong with one. Unknown keys are
errors. A secret is never written there: `*_env` names an environment variable, `*_file` a file. Times are UTC; relative
paths are relative to the file."""

_CHANNELS = "Where messages go. Each `type` has keys of its own; a channel named `console` is always there."

_WORDS = {
    "family": {"name": "name of the family", "vendor": "who makes it"},
    "channel": {
        "name": "name of the channel, as rules write it",
        "type": "which kind of channel this is",
        "timeout": "seconds that one attempt may take",
        "ca_file": "PEM file of the authorities to trust; those of the system when left out",
        "endpoint": "Slack's API, or a stand-in",
        "host": "the mail server",
        "port": "587, 465 or 25 when left out, as `tls` says",
        "username": "whom to log in as; a password goes with it",
        "from": "the sender's address",
        "to": "the recipients' addresses",
        "tls": "how the connection is encrypted; none only for a loopback host",
        "path": "the folder; it is made when it is missing",
    },
}
"""Section -> what those of its keys mean of which their models do not say it."""


def pages() -> dict[str, str]:
    """File name -> content of every page written from the program."""
    return {"cli.md": cli(), "configuration.md": configuration()}


def cli() -> str:
    """Every command with its help."""
    root = typer.main.get_command(app)
    parts = [
        _SOURCE,
        "# Command line",
        _HEAD,
        _EXIT_CODES,
    ]
    for name, command in _commands(root, "leadchange"):
        parts += [f"## `{name}`", f"```text\n{_help_of(command, name)}\n```"]
    return "\n\n".join(parts) + "\n"


def _commands(command: Any, name: str) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 typer keeps its classes to itself
    yield name, command
    for child, inner in getattr(command, "commands", {}).items():
        if not inner.hidden:
            yield from _commands(inner, f"{name} {child}")


def _help_of(command: Any, name: str) -> str:  # noqa: ANN401 see _commands
    context = typer.Context(command, info_name=name, terminal_width=WIDTH, max_content_width=WIDTH)
    return str(command.get_help(context)).rstrip()


def configuration() -> str:
    """Every section and key with its default and its meaning."""
    parts = [
        _SOURCE,
        "# Configuration",
        _FILE,
    ]
    for name, model in SECTIONS.items():
        parts += [f"## `[{name}]`", _first_sentence(model), _table(model, name)]
    for name, model in LISTS.items():
        parts += [f"## `[[{name}]]`"]
        parts += [_CHANNELS, *_channels()] if name == "channel" else [_first_sentence(model), _table(model, name)]
    return "\n\n".join(parts) + "\n"


def _channels() -> list[str]:
    """A table for each type of channel."""
    parts = []
    for kind, (model, _) in CHANNELS.items():
        if kind in OFFERED:
            parts += [f'### `type = "{kind}"`', _first_sentence(model), _table(model, "channel")]
    return parts


def _first_sentence(model: type[BaseModel]) -> str:
    text = inspect.cleandoc(model.__doc__ or "").replace("\n", " ")
    return text.partition(". ")[0].rstrip(".") + "."


def _table(model: type[BaseModel], section: str) -> str:
    rows = ["| key | default | meaning |", "|---|---|---|"]
    meant = _docstrings(model)
    for name, field in model.model_fields.items():
        key = field.alias or name
        meaning = field.description or meant.get(name) or _by_name(section, key)
        rows.append(f"| `{key}` | {_default(field)} | {_cell(_with_choices(meaning, field.annotation))} |")
    return "\n".join(rows)


def _docstrings(model: type[BaseModel]) -> dict[str, str]:
    """What is written below the fields of a model and of those it derives from."""
    found: dict[str, str] = {}
    for base in reversed(model.__mro__):
        if issubclass(base, BaseModel) and base is not BaseModel:
            (tree,) = ast.parse(textwrap.dedent(inspect.getsource(base))).body
            body = tree.body if isinstance(tree, ast.ClassDef) else []
            for field, below in pairwise(body):
                if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and (text := _text(below)):
                    found[field.target.id] = text
    return found


def _text(statement: ast.stmt) -> str:
    """What a statement says that is nothing but a text."""
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return inspect.cleandoc(str(statement.value.value))
    return ""


def _by_name(section: str, key: str) -> str:
    """What a key means of which its model does not say it."""
    what = key.rpartition("_")[0].replace("_", " ")
    if key in _WORDS.get(section, {}):
        return _WORDS[section][key]
    if key.endswith("_env"):
        return f"environment variable that holds the {what}"
    return f"file that holds the {what}" if key.endswith("_file") else ""


def _with_choices(meaning: str, annotation: Any) -> str:  # noqa: ANN401 an annotation may be anything
    """The meaning, and the values that a key may have where they are few and not named in it."""
    values = [str(value) for value in get_args(annotation)] if get_origin(annotation) is Literal else []
    if len(values) < 2 or all(value in meaning for value in values):
        return meaning
    return f"{meaning} ({', '.join(f'`{value}`' for value in values)})"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    return "" if value is None else f"`{_toml(value)}`"


def _toml(value: object) -> str:
    """A default as one would write it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{', '.join(_toml(item) for item in value)}]"
    if isinstance(value, Enum):
        return _toml(value.value)
    return f"{value:g}" if isinstance(value, float) else str(value) if isinstance(value, int) else f'"{value}"'


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def main(folder: Path = FOLDER) -> None:
    """Write every page."""
    for name, text in pages().items():
        (folder / name).write_text(text, "utf-8")


if __name__ == "__main__":
    main()
