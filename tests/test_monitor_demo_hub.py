"""The local Hub over a real socket: through the real walk, through huggingface_hub, and when it fails."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response

from jobs.hub import Hub, HubSettings, WalkCancelled, overviews, reach, walk
from jobs.waiting import run
from monitor.demo import faults
from monitor.demo.hub import EXPANDABLE, Fault, LocalHub, hub_id
from monitor.demo.recordings import DATA, snapshots
from warehouse.records import HubModel, Parent, Walk

TOKEN = "hf_secretsecretsecret"


def model(repo_id: str, number: int = 1, **changes: object) -> HubModel:
    made = HubModel(
        hub_id=hub_id(repo_id),
        repo_id=repo_id,
        publisher=repo_id.partition("/")[0],
        downloads_30d=1000 * number,
        downloads_all_time=10_000 * number,
        likes=number,
        created_at=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=number),
        parameters=8_190_735_360,
        pipeline_tag="text-generation",
        library="transformers",
        license="apache-2.0",
        gated="no",
        disabled=False,
        parents=(Parent("finetune", "Qwen/Base"), Parent(None, "Qwen/Other")),
    )
    return made._replace(**changes)  # type: ignore[arg-type]


def publishers(*names: str, each: int = 3) -> dict[str, list[HubModel]]:
    return {name: [model(f"{name}/m{number}", number) for number in range(1, each + 1)] for name in names}


@pytest.fixture
def hub() -> Iterator[LocalHub]:
    with LocalHub(publishers("Qwen", "google")) as running:
        yield running


def at(hub: LocalHub, **changes: object) -> HubSettings:
    return HubSettings.model_validate({"endpoint": hub.endpoint, **changes})


def find(hub: LocalHub, *repo_ids: str) -> dict[str, HubModel | None]:
    async def ask() -> dict[str, HubModel | None]:
        async with Hub(at(hub), None) as client:
            return await client.each(repo_ids, client.find_model)

    return run(ask())


def look(hub: LocalHub, *names: str, token: str | None = None, **changes: object) -> Walk:
    return walk(at(hub, **changes), names or ("Qwen",), token=token)


def test_what_is_shown_is_what_is_walked(hub: LocalHub) -> None:
    seen = look(hub, "Qwen", "google")
    assert [list(listing.models) for listing in seen.listings] == list(publishers("Qwen", "google").values())
    assert [listing.num_models for listing in seen.listings] == [3, 3]
    assert not [listing.problem for listing in seen.listings if listing.problem]
    assert seen.requests == hub.requests == 4


def test_what_is_not_known_stays_not_known(hub: LocalHub) -> None:
    bare = HubModel("0" * 24, "Qwen/bare", "Qwen", None, None, None)
    hub.show([bare])
    assert look(hub).listings[0].models == (bare,)


@pytest.mark.parametrize("gated", ["no", "auto", "manual", None])
def test_a_gate_survives_the_way(hub: LocalHub, gated: str | None) -> None:
    hub.show([model("Qwen/m", gated=gated)])
    assert look(hub).listings[0].models[0].gated == gated


def test_pages_end_where_the_models_end_also_when_all_were_created_at_once(hub: LocalHub) -> None:
    for created in (None, datetime(2026, 1, 1, tzinfo=UTC)):
        shown = [model(f"Qwen/m{number}", created_at=created) for number in range(25)]
        hub.show(shown)
        for size in (1, 5, 24, 25, 26):
            listing = look(hub, page_size=size).listings[0]
            assert sorted(listing.models, key=lambda each: each.repo_id) == sorted(shown, key=lambda each: each.repo_id)
            assert listing.problem is None


def test_another_day_is_shown_from_one_request_to_the_next(hub: LocalHub) -> None:
    hub.show([model("Qwen/new", 7)])
    assert [each.repo_id for each in look(hub).listings[0].models] == ["Qwen/new"]
    assert look(hub, "google").listings[0].num_models == 0


def test_a_renamed_model_redirects_from_its_old_name_and_an_unknown_one_is_not_found(hub: LocalHub) -> None:
    hub.show([model("Qwen/renamed", hub_id=hub_id("Qwen/m1"))])
    found = find(hub, "Qwen/m1", "Qwen/m2")
    assert found["Qwen/m1"] is not None
    assert found["Qwen/m1"].repo_id == "Qwen/renamed"
    assert found["Qwen/m2"] is None
    hub.show([model("Qwen/m1")])
    found = find(hub, "Qwen/m1")
    assert found["Qwen/m1"] == model("Qwen/m1")


def test_a_renamed_publisher_lists_under_its_new_name(hub: LocalHub) -> None:
    hub.moved["Alibaba"] = "Qwen"
    listing = look(hub, "Alibaba").listings[0]
    assert {each.publisher for each in listing.models} == {"Qwen"}
    overview = overviews(at(hub), ["Alibaba"], token=None)["Alibaba"]
    assert overview is not None
    assert (overview.name, overview.num_models) == ("Qwen", 3)


def test_people_have_no_overview() -> None:
    with LocalHub(publishers("Qwen", "jane"), users=["jane"]) as hub:
        seen = look(hub, "Qwen", "jane", "nobody")
    assert [(listing.num_models, len(listing.models)) for listing in seen.listings] == [(3, 3), (None, 3), (None, 0)]


def test_only_the_fields_asked_for_come(hub: LocalHub) -> None:
    [row] = httpx.get(f"{hub.endpoint}/api/models?author=Qwen&limit=1&expand=downloads&expand[]=likes").json()
    assert row.keys() == {"_id", "id", "downloads", "likes"}
    [row] = httpx.get(f"{hub.endpoint}/api/models?author=Qwen&limit=1").json()
    assert row.keys() == {
        "_id", "id", "modelId", "likes", "private", "downloads", "tags", "pipeline_tag", "library_name", "createdAt",
    }  # fmt: skip


@pytest.mark.parametrize("query", ["expand=downloadz", "sort=downloadsAllTime", "limit=x", "limit=0"])
def test_what_the_hub_does_not_know_is_refused(hub: LocalHub, query: str) -> None:
    assert httpx.get(f"{hub.endpoint}/api/models?{query}").status_code == 400
    assert httpx.get(f"{hub.endpoint}/api/models/Qwen/m1?expand=nonsense").status_code == 400


def test_every_field_of_the_hub_may_be_asked_for(hub: LocalHub) -> None:
    assert len(EXPANDABLE) == 31
    query = "&".join(f"expand={field}" for field in EXPANDABLE)
    assert httpx.get(f"{hub.endpoint}/api/models?{query}").status_code == 200


@pytest.mark.parametrize("sort", ["createdAt", "downloads", "likes", "trendingScore"])
def test_lists_are_sorted_downwards_unless_asked(hub: LocalHub, sort: str) -> None:
    hub.show(model(f"Qwen/m{number}", number) for number in (3, 1, 2))

    def likes(direction: str) -> list[int]:
        rows: list[int] = []
        url = f"{hub.endpoint}/api/models?sort={sort}&limit=2&expand=likes{direction}"
        while url:
            answer = httpx.get(url)
            rows += [row["likes"] for row in answer.json()]
            url = answer.links.get("next", {}).get("url", "")
        return rows

    assert (likes(""), likes("&direction=-1"), likes("&direction=1")) == ([3, 2, 1], [3, 2, 1], [1, 2, 3])


def test_a_missing_model_answers_401_as_the_real_one_does(hub: LocalHub) -> None:
    answer = httpx.get(f"{hub.endpoint}/api/models/Qwen/none")
    assert (answer.status_code, answer.headers["x-error-code"]) == (401, "RepoNotFound")
    assert httpx.get(f"{hub.endpoint}/api/agent-harnesses").json() == {}


def test_the_rate_limit_is_counted_and_told() -> None:
    with LocalHub(publishers("Qwen"), quota=3, window_seconds=300) as hub:
        answers = [httpx.get(f"{hub.endpoint}/api/models?author=Qwen") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert answers[0].headers["ratelimit"].startswith('"api";r=2;t=')
    assert answers[0].headers["ratelimit-policy"] == '"fixed window";"api";q=3;w=300'
    assert answers[4].headers["ratelimit"].startswith('"api";r=0;t=')


def test_a_walk_that_runs_into_the_limit_goes_on_in_the_next_window() -> None:
    with LocalHub(publishers("a", "b", "c"), quota=4, window_seconds=0.5) as hub:
        seen = look(hub, "a", "b", "c", concurrency=1, quota_share=1)
    assert [listing.problem for listing in seen.listings] == [None] * 3
    assert seen.requests > 6  # some were refused and asked again


def test_a_wrong_token_is_refused_and_the_right_one_is_not() -> None:
    with LocalHub(publishers("Qwen"), token=TOKEN) as hub:
        assert look(hub, token=TOKEN).problem is None
        assert look(hub, token=None).problem is None
        assert "refused the token" in str(look(hub, token="hf_wrong").problem)
        assert reach(at(hub), TOKEN).endswith("s")


# --- faults


def asked_for(author: str, answer: Callable[[], Response], times: int | None = None) -> Fault:
    return faults.at("/api/models", answer, author=author, times=times)


def test_a_fault_of_one_publisher_leaves_the_others_alone(hub: LocalHub) -> None:
    hub.faults.append(asked_for("Qwen", faults.maintenance))
    seen = look(hub, "Qwen", "google", attempts=1)
    assert "no JSON" in str(seen.listings[0].problem)
    assert seen.listings[1].problem is None


def test_a_fault_that_passes_does_no_harm(hub: LocalHub) -> None:
    hub.faults.append(asked_for("Qwen", faults.maintenance, times=1))
    assert look(hub, attempts=2).listings[0].problem is None


def test_a_body_cut_short_is_asked_for_again(hub: LocalHub) -> None:
    hub.faults.append(asked_for("Qwen", faults.CutShort, times=1))
    assert look(hub, attempts=2).listings[0].problem is None


@pytest.mark.parametrize("fault", [lambda: faults.drip(0.02), faults.Silence], ids=["drip", "silence"])
def test_a_body_that_drips_and_a_silence_are_cut_by_the_total_deadline(
    hub: LocalHub, fault: Callable[[], Response]
) -> None:
    hub.faults.append(asked_for("Qwen", fault))
    started = time.monotonic()
    seen = look(hub, "Qwen", "google", timeout_seconds=0.3, attempts=1)
    assert time.monotonic() - started < 8
    assert seen.listings[0].problem == "no complete answer within 0.3 s"
    assert seen.listings[1].problem is None


@pytest.mark.parametrize("fault", [lambda: faults.drip(0.02), faults.Silence], ids=["drip", "silence"])
def test_a_stop_ends_a_walk_wherever_it_is(hub: LocalHub, fault: Callable[[], Response]) -> None:
    hub.faults.append(faults.at("/api/", fault))
    stop = threading.Event()
    timer = threading.Timer(0.2, stop.set)
    timer.start()
    started = time.monotonic()
    with pytest.raises(WalkCancelled):
        walk(at(hub), ["Qwen", "google"], token=None, stop=stop)
    timer.join()
    assert time.monotonic() - started < 8


def test_a_token_follows_no_link_to_another_hub(hub: LocalHub) -> None:
    shown: list[str] = []

    def spy(request: Request) -> Response | None:
        shown.append(request.headers.get("authorization", ""))
        return None

    with LocalHub(publishers("Qwen")) as foreign:
        foreign.faults.append(spy)
        link = f'<{foreign.endpoint}/api/models?author=Qwen>; rel="next"'
        hub.faults.append(asked_for("Qwen", lambda: Response("[]", headers={"link": link})))
        listing = look(hub, token=TOKEN).listings[0]
    assert "another origin" in str(listing.problem)
    assert not shown


def test_forty_publishers_are_asked_several_at_a_time_and_for_each_page_once() -> None:
    names = [f"p{number}" for number in range(40)]
    with LocalHub(publishers(*names, each=100), latency_seconds=0.12) as hub:
        seen = look(hub, *names)
    assert sum(len(listing.models) for listing in seen.listings) == 40 * 100
    assert 1 < hub.most_at_once <= 2 * at(hub).concurrency  # a page, and the number of models it should hold
    assert hub.requests == 40 * 2


def test_huggingface_hub_takes_it_for_the_hub(hub: LocalHub, tmp_path: Path) -> None:
    code = """
import json, sys
from huggingface_hub import HfApi
api = HfApi(endpoint=sys.argv[1], token=False)
models = list(api.list_models(author="Qwen", sort="created_at", limit=3, expand=["downloads", "downloadsAllTime"]))
print(json.dumps({
    "ids": [model.id for model in models], "all": [model.downloads_all_time for model in models],
    "renamed": api.model_info("Qwen/old").id, "count": api.get_organization_overview("Qwen").num_models,
}))
"""
    hub.moved["Qwen/old"] = "Qwen/m1"
    environment = {**os.environ, "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HOME": str(tmp_path), "HF_ENDPOINT": hub.endpoint}
    ran = subprocess.run(
        [sys.executable, "-c", code, hub.endpoint], env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == {
        "ids": ["Qwen/m3", "Qwen/m2", "Qwen/m1"],
        "all": [30_000, 20_000, 10_000],
        "renamed": "Qwen/m1",
        "count": 3,
    }


# --- recordings


def test_the_recordings_are_looks_in_order_with_what_is_not_known_left_out() -> None:
    looks = list(snapshots(only_usable=True))
    assert len(looks) == 21
    moments = [moment for moment, _ in looks]
    assert moments == sorted(moments)
    assert moments[0].replace(second=0) == datetime(2026, 2, 26, 17, 49, tzinfo=UTC)
    first, last = looks[0][1], looks[-1][1]
    assert len(first) < len(last)
    assert all(each.downloads_all_time is None and each.gated is None for each in last)
    assert any(each.downloads_30d is None for each in last)
    assert len({each.hub_id for each in last}) == len(last)
    assert sum(each.downloads_30d or 0 for each in last if each.publisher == "Qwen") == pytest.approx(259.2e6, rel=1e-3)


def test_the_recordings_know_what_some_models_descend_from() -> None:
    *_, (_, last) = snapshots(only_usable=True)
    relations = {parent.relation for each in last for parent in each.parents}
    assert {"finetune", "quantized", "adapter"} <= relations


def test_all_recordings_hold_the_broken_looks_too() -> None:
    sizes = [len(models) for _, models in snapshots(only_usable=False)]
    assert len(sizes) == 53
    assert sum(sizes) == 130_501


def test_a_recorded_day_goes_through_the_local_hub_unchanged() -> None:
    *_, (_, last) = snapshots(only_usable=True)
    with LocalHub() as hub:
        hub.show(last)
        names = sorted({each.publisher for each in last})[:40]
        seen = look(hub, *names)
    assert not [listing.problem for listing in seen.listings if listing.problem]
    walked = {each.repo_id: each for listing in seen.listings for each in listing.models}
    for each in last:
        if each.publisher in names:
            assert walked[each.repo_id] == each


def test_every_recording_is_named_in_the_notice() -> None:
    notice = (DATA.parents[2] / "NOTICE").read_text("utf-8")
    for file in DATA.rglob("*.*"):
        if file.is_file():
            assert file.name in notice, file
