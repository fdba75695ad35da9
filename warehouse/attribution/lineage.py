"""Lineage: from every model's declared parents to its root, its relation, its family and its shares.

What a card declares is a graph: chains, merges with several parents, loops, parents that nobody has listed. It is read
here once, for all models together; `docs/lineage.md` has the definition in words.

    models, parents ─▶ named graph ─▶ without cycles ─▶ shares ─▶ one parent each ─▶ root, depth, family

Shares are multiples of 1/4096, so that they are exact in a DOUBLE: the shares of a model sum to exactly 1, and
`sum(downloads * share)` over all families and the unattributed equals the plain `sum(downloads)` to the last download,
in any order of summation, up to a total of 2**41 (2.2 million million).

Pure: frames in, frames out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from fractions import Fraction
from graphlib import TopologicalSorter
from typing import Any, Literal, NamedTuple

import polars as pl

VERSION = 1
"""Raised when something else is said of the same declarations: all models of a warehouse are then attributed again."""

PARTS = 4096
"""A share is a multiple of 1 / PARTS; a power of two, hence exact in binary."""

RANKS = {"quantized": 0, "adapter": 1, "merge": 2, "finetune": 3}
"""Where one parent is declared in several ways, the lowest is believed: the narrower word says more."""
UNTYPED = 4

KEY = pl.col("repo_id").str.to_lowercase()
"""Names are compared in lower case, as the Hub does."""

STREAMING: Literal["streaming"] = "streaming"
"""How names are put in lower case and looked up: a part of the millions at a time, not all of them at once."""

REPOSITORY = r"^[a-z0-9_][\w.-]*(/[\w.-]+)?$"
"""What a (lower-case) repository can be called; everything else is a path on somebody's disk."""

Mix = dict[str | None, Fraction]


class Lineage(NamedTuple):
    """What `trace` finds out."""

    lineage: pl.DataFrame
    """One row a model, in the order given: model, root_repo_id, relation, depth (steps to the root), family."""
    divided: pl.DataFrame
    """model, family (null: unattributed), share, of those that descend from a merge; each one's shares sum to 1.
    Every other model is its family's as a whole."""


class _Graph(NamedTuple):
    """Models first, in the order given, then the parents that are not among them; edges lead from child to parent."""

    nodes: pl.DataFrame
    """node (row number), model (null: not among the models), repo_id, family (own; null: none)."""
    edges: pl.DataFrame
    """child, parent, rank; at most one edge between two nodes, none to itself."""


class _Shares(NamedTuple):
    """Whose the nodes are."""

    source: pl.Series
    """For every node the one whose mix it has: the end of its chain, or the first merge on it."""
    mixed: pl.DataFrame
    """source, family, share of the merges."""
    family: pl.Series
    """Of every node, its own."""

    def divided(self, nodes: pl.DataFrame) -> pl.DataFrame:
        """The parts of those of some nodes (node, ...) that have a merge's mix: ..., family, share."""
        sources = nodes.with_columns(source=self.source.gather(nodes["node"]))
        return sources.join(self.mixed, on="source", maintain_order="left_right").drop("source")

    def of(self, nodes: pl.Series) -> pl.DataFrame:
        """The parts of some nodes: node, family, share."""
        asked = pl.DataFrame({"node": nodes})
        divided = self.divided(asked)
        whole = asked.join(divided, on="node", how="anti")
        family = self.family.gather(self.source.gather(whole["node"]))
        return pl.concat([divided, whole.with_columns(family=family, share=pl.lit(1.0))])


def trace(
    models: pl.DataFrame,
    parents: pl.DataFrame,
    family_of: Callable[[str], str | None],
    aliases: Mapping[str, Any] | None = None,
) -> Lineage:
    """Follows every model to its root.

    Args:
        models: model (a key of any kind), repo_id, own_family (null: none of the families' own publishers published
            it); in the order in which they were created.
        parents: model, relation (null: the tag does not say), parent_repo_id; any order, duplicates welcome.
        family_of: the registry's verdict on the name of a parent that is not among the models.
        aliases: former repo_id -> key of models that were renamed; a current name of that spelling goes first.

    A missing column raises polars' ColumnNotFoundError.
    """
    if parents.is_empty():
        return _unrelated(models)
    graph, height = _named(models, parents, family_of, aliases or {}), models.height
    del models, parents  # of millions of models they are what the rest needs room for
    nodes, declared = graph
    telling = _telling(graph)
    cut = _cut(telling, nodes)
    if not cut.is_empty():
        declared, telling = (e.join(cut, on=["child", "parent"], how="anti") for e in (declared, telling))
    shares = _shares(nodes, telling)
    root, depth = _settled(_pointers(nodes, _primary(nodes, telling, shares)))
    lineage = (
        nodes.select("node", "model", root=root, depth=depth)
        .head(height)
        .join(_relations(declared), left_on="node", right_on="child", how="left", maintain_order="left")
        .select(
            "model",
            root_repo_id=nodes["repo_id"].gather(root.head(height)),
            relation=pl.col("relation").fill_null("own"),
            depth="depth",
            family=nodes["family"].gather(root.head(height)),
        )
    )
    divided = shares.divided(nodes.head(height).select("node", "model"))
    return Lineage(lineage, divided.select("model", "family", "share"))


def _unrelated(models: pl.DataFrame) -> Lineage:
    """Every model is where its line begins: to find that out as for others takes fifty times as long."""
    lineage = models.select(
        "model",
        root_repo_id="repo_id",
        relation=pl.lit("own"),
        depth=pl.lit(0, dtype=pl.UInt32),
        family=pl.col("own_family").cast(pl.String),
    )
    return Lineage(lineage, lineage.clear().select("model", "family", share=pl.lit(1.0)))


def _named(
    models: pl.DataFrame,
    parents: pl.DataFrame,
    family_of: Callable[[str], str | None],
    aliases: Mapping[str, Any],
) -> _Graph:
    """The graph of all declarations, every name resolved to a node."""
    listed = models.select("model", "repo_id", family=pl.col("own_family").cast(pl.String)).with_row_index("node")
    declared = (
        parents.lazy()
        .select(
            "model",
            repo_id=pl.col("parent_repo_id").str.strip_chars(),
            rank=pl.col("relation").cast(pl.String).replace_strict(RANKS, default=UNTYPED, return_dtype=pl.UInt8),
        )
        .filter(pl.col("repo_id") != "")
        .join(listed.lazy().select("model", child="node"), on="model")
        .select("child", "rank", "repo_id")
    )
    names = declared.group_by(key=KEY).agg(pl.col("repo_id").min()).collect(engine=STREAMING)
    names = names.join(_addresses(listed, names, aliases), on="key", how="left")
    strangers = _strangers(names.filter(pl.col("node").is_null()), listed.height, family_of)
    names = pl.concat([names.drop_nulls("node"), strangers.select(names.columns)])
    targets = names.lazy().select("key", parent="node", path=~pl.col("key").str.contains(REPOSITORY))
    edges = declared.join(targets, left_on=KEY, right_on="key").select("child", "parent", "rank", "path")
    nodes = pl.concat([listed, strangers.drop("key")], how="diagonal")
    return _Graph(nodes, _distinct(edges.collect(engine=STREAMING)))


def _addresses(listed: pl.DataFrame, names: pl.DataFrame, aliases: Mapping[str, Any]) -> pl.DataFrame:
    """Which models answer to the lower-case names: key, node.

    Of two models of one name the one created last does; former names come after current ones.
    """
    keys = listed.lazy().select("node", key=KEY).join(names.lazy().select("key"), on="key", how="semi")
    current = keys.collect(engine=STREAMING).sort("node", descending=True)
    former = (
        pl.DataFrame(
            list(aliases.items()), schema={"repo_id": pl.String, "model": listed.schema["model"]}, orient="row"
        )
        .join(listed.select("model", "node"), on="model")
        .select("node", key=KEY)
        .sort("node", descending=True)
    )
    return pl.concat([current, former]).unique("key", keep="first", maintain_order=True)


def _strangers(names: pl.DataFrame, offset: int, family_of: Callable[[str], str | None]) -> pl.DataFrame:
    """Parents that are not among the models, as nodes from `offset` on: key, repo_id, node, family."""
    found = names.select("key", "repo_id").sort("key").with_row_index("node", offset=offset)
    return found.with_columns(family=pl.Series([family_of(name) for name in found["repo_id"]], dtype=pl.String))


def _distinct(edges: pl.DataFrame) -> pl.DataFrame:
    """One edge between two nodes, none to itself. A path counts only where its child names no repository beside it."""
    apart = edges.filter(pl.col("child") != pl.col("parent"))
    paths = apart.filter("path").join(apart.filter(~pl.col("path")), on="child", how="anti")
    return pl.concat([apart.filter(~pl.col("path")), paths]).group_by("child", "parent").agg(pl.col("rank").min())


def _telling(graph: _Graph) -> pl.DataFrame:
    """The edges that tell where a model comes from: all but those by which a family's own model leaves its family."""
    family = graph.nodes["family"]
    child, parent = (family.gather(graph.edges[end]) for end in ("child", "parent"))
    return graph.edges.filter(child.is_null() | (child == parent).fill_null(value=False))


def _cut(edges: pl.DataFrame, nodes: pl.DataFrame) -> pl.DataFrame:
    """The edges (child, parent) without which there is no cycle.

    In the order of their names, models on a cycle lose the declarations that lead back to themselves; so the smallest
    name of a simple cycle becomes its root, whatever the order of the rows.
    """
    core = _core(edges)
    above: dict[int, list[int]] = defaultdict(list)
    for child, parent in core.select("child", "parent").iter_rows():
        above[child].append(parent)
    by_name = nodes[sorted(above)].sort(KEY, "node")["node"]
    cut = []
    for node in by_name:
        back = [parent for parent in above[node] if _leads(parent, node, above)]
        above[node] = [parent for parent in above[node] if parent not in back]
        cut += [(node, parent) for parent in back]
    return pl.DataFrame(cut, schema=core.select("child", "parent").schema, orient="row")


def _core(edges: pl.DataFrame) -> pl.DataFrame:
    """What is left when models without parents and models without children are taken away again and again.

    Only cycles and the paths between them: a handful of the Hub's millions. One round a step of the longest chain.
    """
    core = edges
    while True:
        rest = core.join(core, left_on="child", right_on="parent", how="semi")
        rest = rest.join(rest, left_on="parent", right_on="child", how="semi")
        if rest.height == core.height:
            return core
        core = rest


def _leads(start: int, target: int, above: Mapping[int, list[int]]) -> bool:
    """Whether one gets from `start` to `target` by going from child to parent."""
    seen, ahead = {start}, [start]
    while ahead:
        node = ahead.pop()
        if node == target:
            return True
        fresh = [parent for parent in above.get(node, ()) if parent not in seen]
        seen.update(fresh)
        ahead += fresh
    return False


def _relations(declared: pl.DataFrame) -> pl.DataFrame:
    """The one word for each child: child, relation. Untyped is `finetune`, as the Hub assumes; several parents are a
    `merge`, unless every parent that says how says `adapter`, or every one `quantized`.
    """
    typed = pl.col("rank").filter(pl.col("rank") < UNTYPED)
    word = pl.col("low").replace_strict({rank: name for name, rank in RANKS.items()}, return_dtype=pl.String)
    return (
        declared.group_by("child")
        .agg(parents=pl.len(), low=typed.min().fill_null(RANKS["finetune"]), high=typed.max())
        .select(
            "child",
            relation=pl.when(
                (pl.col("parents") == 1)
                | ((pl.col("low") == pl.col("high")) & (pl.col("low") <= RANKS["adapter"])).fill_null(value=False)
            )
            .then(word)
            .otherwise(pl.lit("merge")),
        )
    )


def _shares(nodes: pl.DataFrame, edges: pl.DataFrame) -> _Shares:
    """Whose every node is. Chains are skipped in one go; only merges are worked out one by one."""
    climbing = edges.filter(nodes["family"].gather(edges["child"]).is_null())
    several = climbing["child"].is_duplicated()
    source, _ = _settled(_pointers(nodes, climbing.filter(~several)))
    merges = climbing.filter(several).select("child", parent=source.gather(climbing.filter(several)["parent"]))
    return _Shares(source, _mixed(merges, nodes["family"]), nodes["family"])


def _mixed(merges: pl.DataFrame, family: pl.Series) -> pl.DataFrame:
    """The shares of nodes with several parents: source, family, share.

    `merges` holds (child, parent), the same parent twice where two chains meet. Each parent passes on an equal part of
    whatever it is itself; the exact fractions are rounded once, at the end.
    """
    above: dict[int, list[int]] = defaultdict(list)
    for child, parent in merges.iter_rows():
        above[child].append(parent)
    ends = sorted({parent for parents in above.values() for parent in parents} - above.keys())
    mixes: dict[int, Mix] = {
        node: {name: Fraction(1)} for node, name in zip(ends, family.gather(ends).to_list(), strict=True)
    }
    for node in TopologicalSorter(above).static_order():
        if node in above:
            mixes[node] = _blend([mixes[parent] for parent in above[node]])
    rows = [(node, name, parts / PARTS) for node in above for name, parts in apportion(mixes[node]).items()]
    return pl.DataFrame(rows, schema={"source": pl.UInt32, "family": pl.String, "share": pl.Float64}, orient="row")


def _blend(mixes: list[Mix]) -> Mix:
    """Equal parts of every mix."""
    total: Mix = defaultdict(Fraction)
    for mix in mixes:
        for family, share in mix.items():
            total[family] += share / len(mixes)
    return dict(total)


def apportion(mix: Mapping[str | None, Fraction]) -> dict[str | None, int]:
    """A mix that sums to 1 in whole PARTS that sum to PARTS: rounded down, the rest to the largest remainders.

    Of equal remainders the smaller name has the part, the unattributed last. Families left without a part are dropped.
    """
    families = sorted(mix, key=lambda family: (family is None, family or ""))
    parts = {family: int(mix[family] * PARTS) for family in families}
    missing = PARTS - sum(parts.values())
    for family in sorted(families, key=lambda family: parts[family] - mix[family] * PARTS)[:missing]:
        parts[family] += 1
    return {family: count for family, count in parts.items() if count}


def _primary(nodes: pl.DataFrame, edges: pl.DataFrame, shares: _Shares) -> pl.DataFrame:
    """One parent for each child: the one most like it by family; of equals the smallest name. Child, parent."""
    several = edges["child"].is_duplicated()
    contested = edges.filter(several).select("child", "parent")
    parts = shares.of(contested["child"].append(contested["parent"]).unique())
    alike = (
        contested.join(parts, left_on="child", right_on="node")
        .join(parts, left_on=["parent", "family"], right_on=["node", "family"])
        .group_by("child", "parent")
        .agg(likeness=(pl.col("share") * pl.col("share_right")).sum())
    )
    chosen = (
        contested.join(alike, on=["child", "parent"], how="left")
        .join(nodes.select("node", "repo_id"), left_on="parent", right_on="node")
        .sort(pl.col("likeness").fill_null(0.0), KEY, "parent", descending=[True, False, False])
        .unique("child", keep="first", maintain_order=True)
    )
    return pl.concat([edges.filter(~several).select("child", "parent"), chosen.select("child", "parent")])


def _pointers(nodes: pl.DataFrame, edges: pl.DataFrame) -> pl.Series:
    """For every node its one parent among `edges` (at most one a child), or itself."""
    return (
        nodes.select("node")
        .join(edges.select("child", "parent"), left_on="node", right_on="child", how="left", maintain_order="left")
        .select(pl.coalesce("parent", "node"))
        .to_series()
    )


def _settled(up: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Where every node ends when pointers are followed, and in how many steps; each round doubles the stride."""
    steps = (up != pl.int_range(up.len(), dtype=pl.UInt32, eager=True)).cast(pl.UInt32)
    while not (further := up.gather(up)).equals(up):
        steps += steps.gather(up)
        up = further
    return up, steps
