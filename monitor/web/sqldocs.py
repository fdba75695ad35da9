"""`docs/sql.md`: the relations from their comments, and the worked questions with their answers on the demo's data.

python -m monitor.web.sqldocs [adoption.duckdb of a demo]      runs the demo itself where none is named
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from monitor.output import for_json
from monitor.web import questions
from monitor.web.view import exact
from warehouse.db import Database
from warehouse.published.browsing import Browsing

TARGET = Path(__file__).parent.parent.parent / "docs" / "sql.md"

_HEAD = """\
<!-- Written by `python -m monitor.web.sqldocs` from the program and the demo's data; changes made here are lost. -->

# SQL

`adoption.duckdb` is everybody's copy: it opens at any moment, in any DuckDB from 1.5 on, in any number of processes,
while the daemon runs. After every change the daemon replaces it as a whole; who has the old one open keeps it
undisturbed and sees the new one on opening it again.

```sh
leadchange sql "SELECT board, entity, value FROM standings WHERE rank = 1 ORDER BY day DESC LIMIT 5"
leadchange sql                      # a prompt with completion; the duckdb program where it is installed
duckdb -readonly leadchange-data/adoption.duckdb
```

On the dashboard `/sql` asks the same file: read-only, in a process of its own without environment, files or network,
and with limits (1,000 rows, 5 s, 256 MB). The address of an answer can be passed on, and `/api/sql?q=...&format=csv` is
the same for programs. JSON and CSV know no infinity: what is no finite number is `null`, or empty, there, as it is with
`leadchange sql --format json` and `csv`. Python and notebooks: [notebooks.md](notebooks.md).

`day` is a UTC day. NULL means "not known", never 0. A large copy has a schema `carried` as well: what it remembers of
itself, by which it is renewed; nothing in it is for others.
"""


def page(published: Path) -> str:
    """The page, with answers from a published file."""
    with Database.open_published(published) as db:
        browsing = Browsing(db)
        relations = questions.relations(browsing.described())
        return "\n".join(
            [
                _HEAD,
                "## Questions and answers\n",
                "On the data of `leadchange demo`. Every one is run by the tests.\n",
                *(_asked(db, question) for question in questions.worked()),
                "## Relations\n",
                *(_relation(relation) for relation in relations),
            ]
        )


def _asked(db: Database, question: questions.Question) -> str:
    columns, rows = db.ask(question.query)
    cells = [[_cell(value) for value in row] for row in rows]
    numeric = [all(isinstance(row[n], int | float | None) for row in rows) for n in range(len(columns))]
    rule = "|".join("---:" if number else "---" for number in numeric)
    table = [f"| {' | '.join(columns)} |", f"|{rule}|", *(f"| {' | '.join(row)} |" for row in cells)]
    return "\n".join([f"### {question.sentence}\n", "```sql", question.query, "```\n", *table, ""])


def _relation(relation: questions.Relation) -> str:
    lines = [
        f"| `{column['column_name']}` | {_cell(column['data_type'])} | {_cell(column['comment'])} |"
        for column in relation.columns
    ]
    head = [f"### `{relation.name}`\n", f"{relation.meaning}\n", "| column | type | meaning |", "|---|---|---|"]
    return "\n".join([*head, *lines, ""])


def _cell(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return exact(value)
    return str(for_json(value)).replace("|", "\\|")


def main() -> None:
    """Write the page."""
    if len(sys.argv) > 1:
        TARGET.write_text(page(Path(sys.argv[1])), "utf-8")
        return
    from monitor.demo import story  # noqa: PLC0415 only where no demo is named

    with tempfile.TemporaryDirectory() as folder:
        story.run(Path(folder) / "demo")
        TARGET.write_text(page(Path(folder) / "demo" / "adoption.duckdb"), "utf-8")


if __name__ == "__main__":
    main()
