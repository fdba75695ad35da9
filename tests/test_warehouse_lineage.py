from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Mapping
from fractions import Fraction
from pathlib import Path

import duckdb
import polars as pl
import pytest
from examples import examples
from hypothesis import example, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from warehouse.attribution.lineage import PARTS, Lineage, apportion, trace
from warehouse.registry import Registry, bundled

CENSUS = Path(__file__).parent.parent / "monitor" / "demo" / "data" / "hub_census_2026_08.parquet"

Models = Mapping[str, str]
"""hub_id -> repo_id."""
Parents = Iterable[tuple[str, str | None, str]]
"""hub_id, relation, parent_repo_id."""


def family_of(repo_id: str) -> str | None:
    """A registry of two: all of `acme` is A's, and of `beta` what begins with b."""
    publisher, _, name = repo_id.lower().partition("/")
    if publisher == "acme" and name:
        return "A"
    return "B" if publisher == "beta" and name.startswith("b") else None


def traced(models: Models, parents: Parents, aliases: Mapping[str, str] | None = None) -> Lineage:
    """The lineage of models that are listed as they were created: in the order of their hub_id."""
    named = [(hub_id, repo_id, family_of(repo_id)) for hub_id, repo_id in sorted(models.items())]
    return trace(
        pl.DataFrame(named, schema={"model": pl.String, "repo_id": pl.String, "own_family": pl.String}, orient="row"),
        pl.DataFrame(
            list(parents),
            schema={"model": pl.String, "relation": pl.String, "parent_repo_id": pl.String},
            orient="row",
        ),
        family_of,
        aliases,
    )


def told(*cards: tuple[str, list[tuple[str | None, str]]]) -> dict[str, tuple[str, str, int, str | None]]:
    """repo_id -> (root, relation, depth, family), for models whose hub_id is their name."""
    found = traced({name: name for name, _ in cards}, [(name, *parent) for name, own in cards for parent in own])
    return {hub_id: tuple(rest) for hub_id, *rest in found.lineage.iter_rows()}  # type: ignore[misc]


def shares(*cards: tuple[str, list[tuple[str | None, str]]]) -> dict[str, dict[str | None, float]]:
    found = traced({name: name for name, _ in cards}, [(name, *parent) for name, own in cards for parent in own])
    return by_model(found)


def by_model(found: Lineage) -> dict[str, dict[str | None, float]]:
    mixes: dict[str, dict[str | None, float]] = defaultdict(dict)
    for hub_id, family, share in found.divided.iter_rows():
        assert family not in mixes[hub_id]
        mixes[hub_id][family] = share
    return {hub_id: mixes.get(hub_id, {family: 1.0}) for hub_id, *_, family in found.lineage.iter_rows()}


# One model


def test_a_model_without_parents_is_its_own_root() -> None:
    assert told(("me/x", []), ("acme/y", [])) == {
        "me/x": ("me/x", "own", 0, None),
        "acme/y": ("acme/y", "own", 0, "A"),
    }


def test_where_nobody_names_a_parent_the_frames_are_those_of_others() -> None:
    models: Models = {"1": "me/x", "2": "acme/y", "3": "Me/x"}
    named_one = traced(models, [("1", None, " ")])
    for found, other in zip(traced(models, []), named_one, strict=True):
        assert_frame_equal(found, other)


def test_nothing_at_all_is_fine() -> None:
    found = traced({}, [])
    assert found.lineage.columns == ["model", "root_repo_id", "relation", "depth", "family"]
    assert found.divided.columns == ["model", "family", "share"]
    assert found.lineage.is_empty()


@pytest.mark.parametrize("relation", ["finetune", "adapter", "merge", "quantized"])
def test_a_derivative_has_its_roots_family_whoever_publishes_it(relation: str) -> None:
    found = told(("acme/base", []), ("me/x", [(relation, "acme/base")]))
    assert found["me/x"] == ("acme/base", relation, 1, "A")


def test_a_plain_tag_alone_is_a_finetune_as_the_hub_assumes() -> None:
    assert told(("acme/base", []), ("me/x", [(None, "acme/base")]))["me/x"][1] == "finetune"


def test_a_word_nobody_knows_is_as_good_as_none() -> None:
    assert told(("acme/base", []), ("me/x", [("distil", "acme/base")]))["me/x"][1] == "finetune"


def test_a_plain_tag_beside_a_typed_one_is_the_same_declaration() -> None:
    tags: list[tuple[str | None, str]] = [(None, "acme/base"), ("quantized", "acme/base"), (None, "ACME/Base")]
    assert told(("acme/base", []), ("me/x", tags))["me/x"] == ("acme/base", "quantized", 1, "A")
    assert shares(("acme/base", []), ("me/x", tags))["me/x"] == {"A": 1.0}


def test_case_and_blanks_do_not_matter() -> None:
    found = told(("Acme/Base", []), ("me/x", [("adapter", " aCME/bASE ")]))
    assert found["me/x"] == ("Acme/Base", "adapter", 1, "A")


def test_a_parent_by_its_former_name_is_the_same_model() -> None:
    found = traced({"1": "acme/new", "2": "me/x"}, [("2", "finetune", "Old/Name")], {"old/name": "1"})
    assert found.lineage.row(1) == ("2", "acme/new", "finetune", 1, "A")


def test_a_former_name_that_somebody_else_has_now_is_somebody_elses() -> None:
    found = traced({"1": "acme/new", "2": "me/x", "3": "old/name"}, [("2", "finetune", "old/name")], {"old/name": "1"})
    assert found.lineage.row(1) == ("2", "old/name", "finetune", 1, None)


def test_a_former_name_of_a_model_that_is_gone_is_a_stranger() -> None:
    found = traced({"2": "me/x"}, [("2", "finetune", "acme/old")], {"acme/old": "1"})
    assert found.lineage.row(0) == ("2", "acme/old", "finetune", 1, "A")


def test_of_two_models_of_one_name_the_one_created_last_answers() -> None:
    found = traced({"b": "me/x", "a": "me/X", "c": "you/y"}, [("a", "finetune", "acme/z"), ("c", "finetune", "me/x")])
    assert found.lineage.row(2) == ("c", "me/x", "finetune", 1, None)


def test_one_parent_under_two_names_is_one_parent() -> None:
    found = traced(
        {"1": "acme/new", "2": "me/x"}, [("2", None, "acme/old"), ("2", "adapter", "acme/new")], {"acme/old": "1"}
    )
    assert found.lineage.row(1) == ("2", "acme/new", "adapter", 1, "A")


def test_declarations_of_models_that_are_not_listed_are_nobodys() -> None:
    found = traced({"1": "me/x"}, [("9", "finetune", "me/x")])
    assert found.lineage.row(0) == ("1", "me/x", "own", 0, None)


# Names


def test_a_dummy_by_name_belongs_to_nobody() -> None:
    registry = Registry(bundled())
    name = "trl-internal-testing/tiny-Qwen2ForCausalLM-2.5"
    models = pl.DataFrame({"model": ["1"], "repo_id": [name], "own_family": [registry.family_of(name)]})
    schema = {"model": pl.String, "relation": pl.String, "parent_repo_id": pl.String}
    assert trace(models, pl.DataFrame(schema=schema), registry.family_of).lineage.row(0)[4] is None
    tagged = pl.DataFrame([("1", "finetune", "Qwen/Qwen2.5-0.5B")], schema=schema, orient="row")
    assert trace(models, tagged, registry.family_of).lineage.row(0)[4] == "Qwen"


def test_an_unlisted_parent_stays_unknown() -> None:
    assert told(("me/x", [("finetune", "Gone/Base")]))["me/x"] == ("Gone/Base", "finetune", 1, None)
    assert shares(("me/x", [("finetune", "Gone/Base")]))["me/x"] == {None: 1.0}


def test_an_unlisted_parent_of_a_familys_own_publisher_is_the_familys() -> None:
    assert told(("me/x", [("finetune", "Acme/unlisted")]))["me/x"] == ("Acme/unlisted", "finetune", 1, "A")
    assert told(("me/x", [("finetune", "beta/other")]))["me/x"][3] is None


def test_an_empty_parent_is_none() -> None:
    assert told(("me/x", [("finetune", ""), (None, "  ")]))["me/x"] == ("me/x", "own", 0, None)


def test_a_path_beside_a_repository_is_no_second_parent() -> None:
    found = told(("me/x", [("adapter", "/cache/models/acme--base"), ("adapter", "acme/base")]))
    assert found["me/x"] == ("acme/base", "adapter", 1, "A")


def test_a_path_alone_is_an_unknown_parent() -> None:
    assert told(("me/x", [("adapter", "/cache/x")]))["me/x"] == ("/cache/x", "adapter", 1, None)


# A family's own


def test_an_own_model_keeps_its_relation_and_its_familys_root() -> None:
    found = told(("acme/base", []), ("acme/chat", [("finetune", "acme/base")]), ("me/q", [("quantized", "acme/chat")]))
    assert found["acme/chat"] == ("acme/base", "finetune", 1, "A")
    assert found["me/q"] == ("acme/base", "quantized", 2, "A")


def test_an_own_model_built_on_another_family_begins_its_own_line() -> None:
    cards = [("acme/base", []), ("beta/b1", [("finetune", "acme/base")]), ("me/q", [("quantized", "beta/b1")])]
    found = told(*cards)
    assert found["beta/b1"] == ("beta/b1", "finetune", 0, "B")
    assert found["me/q"] == ("beta/b1", "quantized", 1, "B")
    assert shares(*cards)["me/q"] == {"B": 1.0}


def test_an_own_model_whose_base_is_unlisted_but_its_familys_descends_from_it() -> None:
    assert told(("acme/chat", [("finetune", "acme/base")]))["acme/chat"] == ("acme/base", "finetune", 1, "A")


# Chains and loops


def test_a_chain_of_thirty_leads_to_its_root() -> None:
    chain = [("acme/0", [])] + [
        (f"me/{n}", [("finetune", f"{'me' if n > 1 else 'acme'}/{n - 1}")]) for n in range(1, 31)
    ]
    random.Random(1).shuffle(chain)
    found = told(*chain)
    assert found["me/30"] == ("acme/0", "finetune", 30, "A")
    assert [found[f"me/{n}"][2] for n in range(1, 31)] == list(range(1, 31))


def test_a_chain_of_five_hundred_is_as_good() -> None:
    chain = [(f"me/{n}", [("finetune", f"me/{n - 1}")]) for n in range(1, 501)]
    assert told(*chain)["me/500"] == ("me/0", "finetune", 500, None)


def test_its_own_parent_is_no_parent() -> None:
    assert told(("me/x", [("finetune", "ME/x")]))["me/x"] == ("me/x", "own", 0, None)


def test_in_a_loop_of_two_the_smaller_name_is_the_root() -> None:
    found = told(("me/b", [("finetune", "me/a")]), ("me/a", [("adapter", "me/b")]))
    assert found == {"me/b": ("me/a", "finetune", 1, None), "me/a": ("me/a", "own", 0, None)}


def test_in_a_loop_of_three_with_a_tail_the_smallest_name_is_the_root() -> None:
    found = told(
        ("me/c", [("finetune", "me/a")]),
        ("me/a", [("finetune", "me/b")]),
        ("me/b", [("finetune", "me/c")]),
        ("me/tail", [("quantized", "me/b")]),
        ("me/tip", [("quantized", "me/tail")]),
    )
    assert {name: row[0] for name, row in found.items()} == dict.fromkeys(found, "me/a")
    assert [found[name][2] for name in ("me/a", "me/c", "me/b", "me/tail", "me/tip")] == [0, 1, 2, 3, 4]


def test_a_loop_with_a_way_out_takes_the_way_out() -> None:
    found = told(("me/a", [("merge", "me/b"), ("merge", "acme/base")]), ("me/b", [("finetune", "me/a")]))
    assert found["me/a"] == ("acme/base", "merge", 1, "A")
    assert found["me/b"] == ("acme/base", "finetune", 2, "A")


def test_a_loop_through_a_familys_own_model_is_none() -> None:
    found = told(("acme/a", [("finetune", "me/x")]), ("me/x", [("quantized", "acme/a")]))
    assert found == {"acme/a": ("acme/a", "finetune", 0, "A"), "me/x": ("acme/a", "quantized", 1, "A")}


# Merges


def test_a_merge_is_split_equally() -> None:
    merge = ("me/m", [("merge", "acme/x"), ("merge", "beta/b")])
    assert shares(merge)["me/m"] == {"A": 0.5, "B": 0.5}
    assert told(merge)["me/m"][1] == "merge"


def test_a_merge_of_merges_is_split_recursively() -> None:
    cards = [
        ("me/m", [("merge", "acme/x"), ("merge", "beta/b")]),
        ("me/n", [("merge", "me/m"), ("merge", "gone/z")]),
        ("me/q", [("quantized", "me/n")]),
    ]
    assert shares(*cards)["me/q"] == {"A": 0.25, "B": 0.25, None: 0.5}


def test_a_merge_descends_from_the_parent_most_like_it() -> None:
    merge = ("me/m", [("merge", "acme/x"), ("merge", "beta/b2"), ("merge", "beta/b1")])
    assert told(merge)["me/m"] == ("beta/b1", "merge", 1, "B")


def test_a_known_parent_goes_before_an_unknown_one() -> None:
    assert told(("me/m", [("merge", "a/unknown"), ("merge", "beta/b")]))["me/m"][0] == "beta/b"


@pytest.mark.parametrize(
    ("one", "other", "word"),
    [
        ("merge", "merge", "merge"),
        ("finetune", "finetune", "merge"),
        (None, None, "merge"),
        ("adapter", "finetune", "merge"),
        ("adapter", "adapter", "adapter"),
        ("quantized", "quantized", "quantized"),
        ("quantized", None, "quantized"),
    ],
)
def test_several_parents_are_a_merge_unless_all_that_say_how_say_another_word(
    one: str | None, other: str | None, word: str
) -> None:
    assert told(("me/m", [(one, "acme/x"), (other, "beta/b")]))["me/m"][1] == word


def test_thirds_are_whole_parts_and_sum_to_one() -> None:
    found = shares(("me/m", [("merge", "acme/x"), ("merge", "beta/b"), ("merge", "gone/z")]))["me/m"]
    assert sum(found.values()) == 1.0
    assert {share * PARTS for share in found.values()} == {1365.0, 1366.0}
    assert found["A"] == 1366 / PARTS


def test_the_missing_part_goes_to_the_largest_remainder_and_the_smaller_name() -> None:
    assert apportion({"A": Fraction(1, 3), "B": Fraction(2, 3)}) == {"A": 1365, "B": 2731}
    assert apportion({"B": Fraction(1, 3), None: Fraction(1, 3), "A": Fraction(1, 3)}) == {
        "A": 1366,
        "B": 1365,
        None: 1365,
    }
    assert apportion({"A": Fraction(1, 10**9), None: 1 - Fraction(1, 10**9)}) == {None: PARTS}


@given(st.dictionaries(st.sampled_from([None, "A", "B", "C", "D"]), st.integers(1, 10**6), min_size=1))
def test_apportioned_parts_are_whole_close_and_complete(weights: dict[str | None, int]) -> None:
    mix = {family: Fraction(weight, sum(weights.values())) for family, weight in weights.items()}
    parts = apportion(mix)
    assert sum(parts.values()) == PARTS
    assert all(abs(parts.get(family, 0) - share * PARTS) < 1 for family, share in mix.items())


# Against the definition, word by word, on random graphs


def reference(  # noqa: C901 (one piece on purpose: it is read beside docs/lineage.md)
    models: Models, parents: Parents, aliases: Mapping[str, str]
) -> tuple[dict, dict]:
    """The definition of docs/lineage.md, as plainly as it can be written: lineage and shares by hub_id."""
    address = {name.lower(): hub for name, hub in sorted(aliases.items(), key=lambda item: item[1]) if hub in models}
    address |= {models[hub].lower(): hub for hub in sorted(models)}
    names = dict(models)
    declared: dict[str, dict[str, list[str | None]]] = {hub: {} for hub in models}
    for hub, relation, raw in sorted(parents, key=lambda row: row[2].strip(), reverse=True):
        if hub in models and (name := raw.strip()):
            node = address.get(name.lower(), f"?{name.lower()}")
            names[node] = models.get(node, name)
            if node != hub:
                declared[hub].setdefault(node, []).append(relation)
    for own in declared.values():
        if any(not node.startswith("?/") for node in own):
            for node in [node for node in own if node.startswith("?/")]:
                del own[node]
    family = {node: family_of(name) for node, name in names.items()}
    up = {hub: [node for node in own if family[hub] in (None, family[node])] for hub, own in declared.items()}

    def leads(start: str, target: str) -> bool:
        ahead, seen = [start], set()
        while ahead:
            if (node := ahead.pop()) == target:
                return True
            if node not in seen:
                seen.add(node)
                ahead += up.get(node, [])
        return False

    for hub in sorted(models, key=lambda hub: (models[hub].lower(), hub)):
        for node in [node for node in up[hub] if leads(node, hub)]:
            up[hub].remove(node)
            del declared[hub][node]

    def mix(node: str) -> dict[str | None, Fraction]:
        if family[node] or not up.get(node):
            return {family[node]: Fraction(1)}
        total: dict[str | None, Fraction] = defaultdict(Fraction)
        for parent in up[node]:
            for name, share in mix(parent).items():
                total[name] += share / len(up[node])
        return total

    def origin(node: str) -> tuple[str, int]:
        if not up.get(node):
            return node, 0
        mine = apportion(mix(node))

        def likeness(parent: str) -> int:
            theirs = apportion(mix(parent))
            return sum(mine[name] * theirs.get(name, 0) for name in mine if name is not None)

        root, depth = origin(min(up[node], key=lambda p: (-likeness(p), names[p].lower(), p)))
        return root, depth + 1

    def word(own: dict[str, list[str | None]]) -> str:
        order = ["quantized", "adapter", "merge", "finetune"]
        said = [min((w for w in words if w in order), key=order.index, default=None) for words in own.values()]
        clear = {w for w in said if w}
        if len(own) <= 1:
            return (said[0] or "finetune") if said else "own"
        return clear.pop() if clear in ({"adapter"}, {"quantized"}) else "merge"

    lineage = {}
    for hub in models:
        root, depth = origin(hub)
        lineage[hub] = (names[root], word(declared[hub]), depth, family[root])
    return lineage, {hub: {name: n / PARTS for name, n in apportion(mix(hub)).items()} for hub in models}


NAMES = ["acme/a", "acme/b", "beta/b", "beta/c", "me/a", "me/b", "me/c", "me/d", "me/e", "me/f", "You/a", "you/A"]
LOST = ["acme/lost", "Acme/LOST", "gone/x", "/tmp/x", "/tmp/Y", "ME/A", "You/a ", "", "acme"]


@st.composite
def worlds(draw: st.DrawFn) -> tuple[dict[str, str], list[tuple[str, str | None, str]], dict[str, str]]:
    names = draw(st.lists(st.sampled_from(NAMES), unique=True, min_size=1))
    models = {f"{n:02d}": name for n, name in enumerate(draw(st.permutations(names)))}
    hubs = st.sampled_from([*models, "99"])
    relations = st.sampled_from([None, "finetune", "adapter", "merge", "quantized", "distil"])
    parents = draw(st.lists(st.tuples(hubs, relations, st.sampled_from([*names, *LOST])), max_size=25))
    return models, parents, draw(st.dictionaries(st.sampled_from(["gone/x", "Gone/X", "me/a"]), hubs, max_size=2))


@settings(max_examples=examples(400), deadline=None)
@given(worlds(), st.randoms(use_true_random=False), st.lists(st.integers(0, 10**9), min_size=12, max_size=12))
@example(({"0": "me/a"}, [("0", None, "/tmp/x"), ("0", None, "me/A")], {}), random.Random(0), [1] * 12)
def test_random_worlds_are_traced_as_the_definition_says(
    world: tuple[dict[str, str], list[tuple[str, str | None, str]], dict[str, str]],
    chance: random.Random,
    downloads: list[int],
) -> None:
    models, parents, aliases = world
    lineage, mixes = reference(models, parents, aliases)
    chance.shuffle(parents)
    found = traced(models, parents, aliases)

    assert {hub: tuple(rest) for hub, *rest in found.lineage.iter_rows()} == lineage
    assert found.lineage["model"].to_list() == sorted(models)
    assert by_model(found) == mixes
    assert all(sum(mix.values()) == 1.0 for mix in mixes.values())
    counted = dict(zip(models, downloads, strict=False))
    every = [(counted[hub], share) for hub, mix in mixes.items() for share in mix.values()]
    assert sum(count * share for count, share in every) == sum(counted.values())


# On the census


@pytest.fixture(scope="module")
def census() -> Lineage:
    registry = Registry(bundled())
    table = pl.read_parquet(CENSUS)
    models = table.select("repo_id", model="repo_id").with_columns(
        own_family=pl.Series([registry.family_of(name) for name in table["repo_id"]], dtype=pl.String)
    )
    declared = table.explode("base_models").select(
        pl.col("repo_id").alias("model"), pl.col("base_models").struct.unnest()
    )
    parents = declared.drop_nulls("repo_id").rename({"repo_id": "parent_repo_id"})
    return trace(models, parents, registry.family_of)


def test_the_relations_of_the_census_are_what_sql_counts(census: Lineage) -> None:
    counted = duckdb.sql(f"""
        WITH declared AS (
            SELECT DISTINCT c.repo_id AS child, lower(trim(b.repo_id)) AS parent, b.relation
            FROM '{CENSUS}' AS c, unnest(c.base_models) AS t(b)
            WHERE trim(b.repo_id) <> '' AND lower(trim(b.repo_id)) <> lower(c.repo_id)),
        believed AS (
            SELECT *, parent NOT LIKE '/%' AS clean, bool_or(clean) OVER (PARTITION BY child) AS any_clean
            FROM declared QUALIFY clean OR NOT any_clean),
        worded AS (
            SELECT child, count(DISTINCT parent) AS parents, count(DISTINCT relation) AS words, min(relation) AS word
            FROM believed GROUP BY child)
        SELECT CASE WHEN child IS NULL THEN 'own'
                    WHEN parents = 1 OR (words = 1 AND word IN ('adapter', 'quantized')) THEN coalesce(word, 'finetune')
                    ELSE 'merge' END AS relation, count(*)
        FROM '{CENSUS}' AS c LEFT JOIN worded ON worded.child = c.repo_id GROUP BY 1""").fetchall()
    table = census.lineage["relation"].value_counts(name="models")
    assert dict(table.iter_rows()) == dict(counted)
    assert table["models"].sum() == pl.read_parquet(CENSUS, columns=["repo_id"]).height


def board(found: Lineage) -> list[tuple[str | None, float, int]]:
    """family, downloads with derivatives, own downloads: largest first, the unattributed among them."""
    registry = Registry(bundled())
    table = pl.read_parquet(CENSUS).select(hub_id="repo_id", downloads="downloads_30d").drop_nulls()
    own = table.with_columns(own=pl.Series([registry.family_of(name) for name in table["hub_id"]], dtype=pl.String))
    with duckdb.connect() as connection:
        connection.register("lineage", found.lineage)
        connection.register("divided", found.divided)
        connection.register("counts", own)
        return connection.sql("""
            WITH shares AS (
                SELECT model, family, 1.0 AS share FROM lineage WHERE model NOT IN (SELECT model FROM divided)
                UNION ALL FROM divided)
            SELECT family, sum(downloads * share) AS lineage, sum(downloads) FILTER (WHERE own = family)
            FROM shares JOIN counts ON model = hub_id GROUP BY family ORDER BY lineage DESC""").fetchall()


def test_every_download_of_the_census_is_counted_once(census: Lineage) -> None:
    assert sum(lineage for _, lineage, _ in board(census)) == pl.read_parquet(CENSUS)["downloads_30d"].sum()


def test_a_familys_own_downloads_are_part_of_its_lineages(census: Lineage) -> None:
    assert all(lineage >= (own or 0) for _, lineage, own in board(census))


def test_the_ten_largest_families_of_the_census_are_those_one_would_expect(census: Lineage) -> None:
    ranking = [row for row in board(census) if row[0]]
    names = [family for family, _, _ in ranking[:10]]
    print(*ranking[:10], sep="\n")  # noqa: T201
    assert names[:2] == ["Qwen", "Gemma"]
    assert {"Llama", "DeepSeek", "gpt-oss", "GLM", "Mistral", "MiniMax"} <= set(names)
    assert ranking[0][2] == 151_785_241
    assert ranking[0][1] > 1.4 * ranking[0][2]


def test_own_models_of_the_census_stay_their_families(census: Lineage) -> None:
    registry = Registry(bundled())
    for hub_id, *_, family in census.lineage.iter_rows():
        if own := registry.family_of(hub_id):
            assert family == own


def test_a_family_is_always_its_roots(census: Lineage) -> None:
    registry = Registry(bundled())
    assert all(registry.family_of(root) == family for _, root, _, _, family in census.lineage.iter_rows())


def test_a_hundred_thousand_models_in_long_chains_find_their_roots() -> None:
    models = {f"{n:08d}": f"me/{n}" for n in range(100_000)} | {f"a{n}": f"acme/{n}" for n in range(100)}
    chance = random.Random(2)
    parents = [
        (f"{n:08d}", "finetune", f"me/{chance.randrange(n)}" if n % 4 else f"acme/{n % 100}") for n in range(1, 100_000)
    ]
    found = traced(models, parents)
    assert found.lineage["family"].null_count() < 90_000
