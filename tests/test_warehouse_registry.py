from __future__ import annotations

import csv
from pathlib import Path

import polars as pl
import pytest
from pydantic import ValidationError

from warehouse.curated import REVISION, curated
from warehouse.errors import NotKnownError
from warehouse.registry import Family, Registry, bundled, merge, propose_publishers, propose_renamed

DATA = Path(__file__).parent.parent / "monitor" / "demo" / "data"
EUROPE = set("AT BE BG CH CZ DE DK EE ES FI FR GB GR HU IE IT LT LU LV NL NO PL PT RO SE SI SK".split())  # noqa: SIM905


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry(bundled())


@pytest.fixture(scope="module")
def recorded() -> list[str]:
    """Every repository that any recording or the curated list has ever named."""
    files = ["hub_census_2026_08.parquet", "hub_snapshots_2026.parquet"]
    names = pl.concat([pl.read_parquet(DATA / file, columns=["repo_id"]) for file in files])["repo_id"].to_list()
    return sorted({*names, *curated()})


def family(name: str, publisher: str = "acme", **more: object) -> Family:
    return Family.model_validate({"name": name, "country": "US", "publishers": [publisher], **more})


# The bundled families, against what was really published


def test_all_that_the_field_talks_about_is_bundled(registry: Registry) -> None:
    names = {known.name for known in registry.families}
    assert len(names) >= 45
    assert names >= {
        "Qwen",
        "Llama",
        "DeepSeek",
        "GLM",
        "MiniMax",
        "Kimi",
        "Gemma",
        "gpt-oss",
        "Mistral",
        "Phi",
        "OLMo",
    }


def test_the_bundled_families_do_not_dispute_anything(registry: Registry) -> None:
    assert registry.problems() == []


def test_no_recorded_repository_belongs_to_two_families(registry: Registry, recorded: list[str]) -> None:
    assert [repo_id for repo_id in recorded if len(registry.matches(repo_id)) > 1] == []


def test_every_family_has_a_recorded_repository(registry: Registry, recorded: list[str]) -> None:
    found = {registry.family_of(repo_id) for repo_id in recorded}
    assert {known.name for known in registry.families} - found == set()


def test_every_glob_earns_its_place(registry: Registry, recorded: list[str]) -> None:
    for known in registry.families:
        for glob in known.include:
            alone = Registry([known.model_copy(update={"include": (glob,), "exclude": ()})])
            assert any(map(alone.family_of, recorded)), f"{known.name}: nothing recorded is called {glob}"


def test_countries_agree_with_the_regions_of_the_atom_project(registry: Registry) -> None:
    with (DATA / "atom" / "organization_regions.csv").open(encoding="utf-8") as file:
        regions = {row["hf_org"]: row["region"] for row in csv.DictReader(file) if row["region"] != "unknown"}
    ours = {publisher: known.country for known in registry.families for publisher in known.publishers}
    region_of = {"US": "us", "CN": "china"} | dict.fromkeys(EUROPE, "eu")
    both = regions.keys() & ours.keys()
    assert {p: ours[p] for p in both if region_of.get(ours[p], "other") != regions[p]} == {}
    assert len(both) > 50


def test_no_publisher_has_two_spellings(registry: Registry) -> None:
    spellings = {publisher for known in registry.families for publisher in known.publishers}
    assert len({publisher.lower() for publisher in spellings}) == len(spellings)


@pytest.mark.parametrize(
    ("repo_id", "expected"),
    [
        ("Qwen/Qwen3-8B", "Qwen"),
        ("Qwen/QwQ-32B", "Qwen"),
        ("THUDM/chatglm2-6b", "GLM"),
        ("zai-org/GLM-5.2", "GLM"),
        ("zai-org/CogVideoX-5b", None),
        ("google/gemma-3-27b-it", "Gemma"),
        ("google/medgemma-4b-it", "Gemma"),
        ("google/codegemma-7b", "Gemma"),
        ("google/bert-base-uncased", None),
        ("google-bert/bert-base-uncased", None),
        ("openai/gpt-oss-120b", "gpt-oss"),
        ("openai/whisper-large-v3", None),
        ("microsoft/Phi-4-mini-instruct", "Phi"),
        ("microsoft/Florence-2-base", None),
        ("nvidia/Llama-3.1-Nemotron-70B-Instruct-HF", "Nemotron"),
        ("nvidia/DeepSeek-R1-NVFP4", None),
        ("allenai/OLMoE-1B-7B-0125", "OLMo"),
        ("allenai/olmOCR-7B-0825", None),
        ("allenai/Llama-3.1-Tulu-3-8B", "Tulu"),
        ("tencent/Hy3-preview", "Hunyuan"),
        ("tencent/HY-MT1.5-7B", "Hunyuan"),
        ("CohereForAI/aya-23-8B", "Aya"),
        ("CohereLabs/c4ai-command-r-v01", "Command"),
        ("deepseek-ai/DeepSeek-R1-Distill-Qwen-7B", "DeepSeek"),
        ("trl-internal-testing/tiny-Qwen2ForCausalLM-2.5", None),
        ("unsloth/gemma-3-27b-it", None),
        ("Qwen", None),
        ("", None),
        ("/", None),
    ],
)
def test_a_repository_is_its_publishers_never_its_names(registry: Registry, repo_id: str, expected: str | None) -> None:
    assert registry.family_of(repo_id) == expected


# Asking


def test_case_does_not_matter_because_it_does_not_on_the_hub() -> None:
    registry = Registry([family("A", "Acme", include=["Big-*"], exclude=["*-TEST"])])
    assert registry.family_of("aCME/bIG-7B") == "A"
    assert registry.family_of("acme/big-7b-Test") is None
    assert registry.family_of("acme/small") is None
    assert registry.knows("ACME")


def test_a_name_with_further_slashes_or_newlines_is_matched_whole() -> None:
    registry = Registry([family("A", include=["big"])])
    assert registry.family_of("acme/big/small") is None
    assert registry.family_of("acme/big\nsmall") is None


def test_publishers_come_once_each_in_the_order_of_the_families() -> None:
    registry = Registry([family("A", "acme"), family("B", "beta"), family("C", "ACME")])
    assert registry.publishers == ("acme", "beta")


def test_only_narrows_what_is_polled_and_not_what_is_known() -> None:
    registry = Registry([family("A", "acme"), family("B", "beta")], only=["B"])
    assert registry.publishers == ("beta",)
    assert registry.family_of("acme/x") == "A"


def test_only_with_an_unknown_name_says_the_nearest() -> None:
    with pytest.raises(NotKnownError, match="did you mean 'Qwen'"):
        Registry(bundled(), only=["Qwenn"])


def test_the_relation_of_families_has_null_for_an_unknown_vendor() -> None:
    rows = Registry([family("A"), family("B", "beta", vendor="Beta Inc.")]).rows()
    assert rows == [
        {"family": "A", "vendor": None, "country": "US", "publishers": ["acme"], "formerly": []},
        {"family": "B", "vendor": "Beta Inc.", "country": "US", "publishers": ["beta"], "formerly": []},
    ]


def test_the_fingerprint_changes_with_whatever_changes_an_assignment() -> None:
    variants = [
        [family("A"), family("B", "beta")],
        [family("B", "beta"), family("A")],
        [family("A", include=["a*"]), family("B", "beta")],
        [family("A", exclude=["a*"]), family("B", "beta")],
        [family("A", country="CN"), family("B", "beta")],
        [family("A", "acme2"), family("B", "beta")],
    ]
    prints = [Registry(families).fingerprint() for families in variants]
    assert len(set(prints)) == len(variants)
    assert prints[0] == Registry(variants[0]).fingerprint()


# A user's own families


def test_an_own_family_overrides_the_shipped_one_of_its_name() -> None:
    registry = Registry(merge(bundled(), [family("Qwen", "my-qwen", country="CN")]))
    assert registry.family_of("Qwen/Qwen3-8B") is None
    assert registry.family_of("my-qwen/anything") == "Qwen"
    assert registry.problems() == []


def test_an_own_family_is_added_and_goes_before_a_broad_shipped_one() -> None:
    registry = Registry(merge(bundled(), [family("Gemma 3", "google", include=["gemma-3-*"])]))
    assert len(registry.families) == len(bundled()) + 1
    assert registry.family_of("google/gemma-3-27b-it") == "Gemma 3"
    assert registry.family_of("google/gemma-4-31B") == "Gemma"


@pytest.mark.parametrize(
    ("families", "problem"),
    [
        ([family("A"), family("A", "beta")], "'a' is listed 2 times"),
        ([family("Acme"), family("ACME", "beta")], "'acme' is listed 2 times"),
        ([family("A"), family("B")], "both claim"),
        ([family("A"), family("B", "ACME")], "both claim"),
        ([family("A"), family("B", include=["b*"])], "A claims all of acme"),
        ([family("A", include=["x*", "a*"]), family("B", include=["X*"])], "both claim 'x*' of acme"),
        ([family("A", include=["a*"]), family("B", include=["b*"], country="CN")], "acme is US for A and CN for B"),
    ],
)
def test_what_two_families_cannot_both_have_is_a_problem(families: list[Family], problem: str) -> None:
    assert any(problem in found for found in Registry(families).problems())


def test_a_narrow_family_before_one_that_has_the_rest_of_a_publisher_is_no_problem() -> None:
    registry = Registry(merge(bundled(), [family("QwQ", "Qwen", country="CN", include=["QwQ-*"])]))
    assert registry.problems() == []
    assert registry.family_of("Qwen/QwQ-32B") == "QwQ"
    assert registry.family_of("Qwen/Qwen3-8B") == "Qwen"


def test_families_that_share_a_publisher_by_globs_are_no_problem() -> None:
    assert Registry([family("A", exclude=["b*"]), family("B", include=["b*"])]).problems() == []


def test_of_two_that_claim_the_same_repository_the_first_has_it() -> None:
    registry = Registry([family("A", include=["*big*"]), family("B", include=["*big"])])
    assert registry.family_of("acme/big") == "A"
    assert registry.matches("acme/big") == ("A", "B")


@pytest.mark.parametrize(
    "wrong",
    [
        {"country": "us"},
        {"country": "USA"},
        {"country": ""},
        {"name": "  "},
        {"publishers": []},
        {"publishers": ["acme/model"]},
        {"publishers": [""]},
        {"include": []},
        {"include": [""]},
        {"exclude": [" "]},
        {"colour": "red"},
    ],
)
def test_what_cannot_be_a_family_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        family("A", **wrong) if "name" not in wrong else family(str(wrong["name"]))


# Proposals


def test_a_vendors_new_namespace_is_proposed_and_never_counted(registry: Registry) -> None:
    (proposal,) = propose_publishers(registry, ["meta-models", "meta-llama", "somebody"])
    assert (proposal.publisher, proposal.family) == ("meta-models", "Llama")
    assert "meta-llama" in proposal.reason
    assert registry.family_of("meta-models/Muse-Glimmer-30B") is None


@pytest.mark.parametrize("name", ["openbmb", "OpenMOSS-Team", "openvla", "metadata-lab", "tiny-random", "", "-", "ai"])
def test_a_likeness_in_a_few_letters_is_none(registry: Registry, name: str) -> None:
    assert propose_publishers(registry, [name]) == []


@pytest.mark.parametrize(
    ("name", "of"), [("TencentARC", "Hunyuan"), ("deepseek-community", "DeepSeek"), ("MiniMax", "MiniMax")]
)
def test_a_vendors_name_at_the_beginning_is_enough(registry: Registry, name: str, of: str) -> None:
    assert [proposal.family for proposal in propose_publishers(registry, [name])] == [of]


def test_the_recorded_publishers_bring_few_proposals(registry: Registry, recorded: list[str]) -> None:
    seen = sorted({repo_id.partition("/")[0] for repo_id in recorded})
    proposals = propose_publishers(registry, seen)
    assert "meta-models" in {proposal.publisher for proposal in proposals}
    assert len(proposals) < len(seen) / 200


def test_models_that_moved_with_their_id_propose_where_they_went(registry: Registry) -> None:
    moves = [("zai-org/GLM-5", "glm-next/GLM-5"), ("zai-org/GLM-4.6", "glm-next/GLM-4.6"), ("me/a", "you/a")]
    (proposal,) = propose_renamed(registry, [*moves, ("THUDM/glm-4-9b", "zai-org/glm-4-9b")])
    assert proposal == ("glm-next", "GLM", "2 of its models were zai-org's")


def test_the_curated_list_says_which_revision_it_is() -> None:
    repo_ids = curated()
    assert REVISION == "3cd80206db"
    assert len(repo_ids) == 1_772 + 186
    assert "Qwen/Qwen3-8B" in repo_ids
