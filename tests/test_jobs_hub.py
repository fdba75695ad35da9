"""The walk against every fault of a Hub that we know of; A1 and so on are their names in the list of faults."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import httpx
import pydantic
import pytest
import respx

from jobs import hub as hub_module
from jobs import hub_http, waiting
from jobs.hub import (
    Hub,
    HubError,
    HubSettings,
    Overview,
    WalkCancelled,
    overviews,
    reach,
    read_token,
    walk,
)
from jobs.hub_rows import EXPAND, Reading, read_row
from jobs.rate_limit import Gate, Quota, retry_after_seconds
from warehouse.records import HubModel, Listing, Parent, Rejected, Walk

HUB = "https://hub.test"
LIST = f"{HUB}/api/models"
TOKEN = "hf_secretsecretsecret"
LIMITS = {"RateLimit": '"api";r=499;t=293', "RateLimit-Policy": '"fixed window";"api";q=500;w=300'}
HTML = "<!doctype html><title>Hugging Face</title><h1>We'll be back soon</h1>"


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds
        await asyncio.sleep(0)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def web() -> Iterator[respx.MockRouter]:
    with respx.mock(assert_all_called=False) as router:
        yield router


def row(number: int = 1, **changes: object) -> dict[str, Any]:
    return {
        "_id": f"{number:024x}",
        "id": f"Qwen/Qwen{number}",
        "author": "Qwen",
        "downloads": 1000 * number,
        "downloadsAllTime": 10_000 * number,
        "likes": number,
        "createdAt": "2026-05-26T09:12:25.000Z",
        **changes,
    }


def answer(rows: object, link: str | None = None, **headers: str) -> httpx.Response:
    return httpx.Response(200, json=rows, headers={**LIMITS, **headers, **({"link": link} if link else {})})


def settings(**changes: object) -> HubSettings:
    return HubSettings.model_validate({"endpoint": HUB, **changes})


def find(*repo_ids: str, token: str | None = None, **changes: object) -> dict[str, HubModel | None]:
    """Each of some repositories as it is now."""

    async def ask() -> dict[str, HubModel | None]:
        async with Hub(settings(**changes), token) as hub:
            return await hub.each(repo_ids, hub.find_model)

    return waiting.run(ask())


def serve(
    web: respx.MockRouter, *answers: httpx.Response | Exception, publisher: str = "Qwen", count: int | None = None
) -> respx.Route:
    """Answer the listing of a publisher with these in turn, the last one for ever; its overview with `count`."""
    queue = list(answers)

    def next_answer(request: httpx.Request) -> httpx.Response:
        now = queue.pop(0) if len(queue) > 1 else queue[0]
        if isinstance(now, Exception):
            raise now
        # Built anew each time, for a response can be read once.
        return httpx.Response(now.status_code, headers=now.headers, content=now.content)

    overview = httpx.Response(404) if count is None else answer({"numModels": count})
    web.get(f"{HUB}/api/organizations/{publisher}/overview").mock(return_value=overview)
    return web.get(LIST, params={"author": publisher}).mock(side_effect=next_answer)


def look(clock: Clock, *publishers: str, token: str | None = None, **changes: object) -> Walk:
    async def run() -> Walk:
        hub = Hub(
            settings(**changes), token, sleep=clock.sleep, jitter=lambda: 0.5, clock=clock, wall=lambda: 1_790_000_000.0
        )
        async with hub:
            return await hub.walk(publishers or ("Qwen",))

    return asyncio.run(run())


def only(seen: Walk) -> Listing:
    assert len(seen.listings) == 1
    return seen.listings[0]


# --- rows


def test_a_row_becomes_a_model_with_everything_that_is_stored() -> None:
    full = row(
        7,
        gated="manual",
        disabled=False,
        pipeline_tag="text-generation",
        library_name="transformers",
        safetensors={"parameters": {"BF16": 8190735360}, "total": 8190735360},
        gguf={"total": 5},
        tags=["transformers", "license:apache-2.0", "base_model:Qwen/Base", "base_model:finetune:Qwen/Base"],
    )
    assert read_row(full) == HubModel(
        hub_id=f"{7:024x}",
        repo_id="Qwen/Qwen7",
        publisher="Qwen",
        downloads_30d=7000,
        downloads_all_time=70_000,
        likes=7,
        created_at=datetime(2026, 5, 26, 9, 12, 25, tzinfo=UTC),
        parameters=8190735360,
        pipeline_tag="text-generation",
        library="transformers",
        license="apache-2.0",
        gated="manual",
        disabled=False,
        parents=(Parent("finetune", "Qwen/Base"),),
    )


def test_a_counter_that_is_absent_or_null_is_not_known_and_not_zero() -> None:
    model = read_row({"_id": "1", "id": "a/b", "downloads": None})
    assert isinstance(model, HubModel)
    assert (model.downloads_30d, model.downloads_all_time, model.likes, model.gated) == (None, None, None, None)


@pytest.mark.parametrize("counter", ["downloads", "downloadsAllTime", "likes"])
@pytest.mark.parametrize("value", [-1, 1e30, 3.0, "12", True, 10**13, 10**40, [], float("nan")])
def test_a12_a_counter_that_cannot_be_true_sets_the_row_aside(counter: str, value: object) -> None:
    rejected = read_row(row(1, **{counter: value}))
    assert isinstance(rejected, Rejected)
    assert rejected.repo_id == "Qwen/Qwen1"
    assert rejected.hub_id == f"{1:024x}"
    assert counter in rejected.reason


@pytest.mark.parametrize(
    "broken",
    [
        None,
        "Qwen/Qwen1",
        {},
        row(id=None),
        row(id=7),
        row(id="noslash"),
        row(id="a/b/c"),
        row(id="/b"),
        row(id="a/"),
        row(id="a/" + "b" * 200),
        row(id="a/\ud800"),
        row(_id=None),
        row(_id=""),
        row(_id=5),
    ],
)
def test_a12_a_row_without_a_name_or_identity_is_set_aside_with_a_reason(broken: object) -> None:
    rejected = read_row(broken)
    assert isinstance(rejected, Rejected)
    assert 0 < len(rejected.reason) < 200


def test_hostile_names_are_data_and_are_kept_as_they_are() -> None:
    name = "Qwen/\u202eevil\x1b[31m<script>"
    model = read_row(row(id=name))
    assert isinstance(model, HubModel)
    assert model.repo_id == name


def test_a_description_that_makes_no_sense_is_not_known_and_the_row_stays() -> None:
    model = read_row(
        row(createdAt="yesterday", gated=True, disabled="no", pipeline_tag=["x"], library_name="", tags={"a": 1},
            safetensors={"total": -1}, gguf=[])
    )  # fmt: skip
    assert model == HubModel(f"{1:024x}", "Qwen/Qwen1", "Qwen", 1000, 10_000, 1)


def test_a_creation_time_without_a_zone_is_utc() -> None:
    model = read_row(row(createdAt="2026-05-26T09:12:25"))
    assert isinstance(model, HubModel)
    assert model.created_at == datetime(2026, 5, 26, 9, 12, 25, tzinfo=UTC)


def test_parents_keep_their_relation_and_what_is_no_repository_is_left_out() -> None:
    tags = [
        "base_model:adapter:a/x",
        "base_model:a/x",
        "base_model:b/y",
        "base_model:merge:c/z",
        "base_model:",
        "base_model:C:\\models\\x",
        "base_model:bert-base-uncased",
        "license:",
        "license:mit",
        "license:other",
        7,
        "base_model:d/\udc00",
    ]
    model = read_row(row(tags=tags))
    assert isinstance(model, HubModel)
    assert model.license == "mit"
    assert model.parents == (
        Parent("adapter", "a/x"),
        Parent(None, "b/y"),
        Parent("merge", "c/z"),
        Parent(None, "bert-base-uncased"),
    )


def test_parameters_come_from_gguf_where_there_are_no_safetensors_and_zero_is_not_known() -> None:
    sizes = [{"gguf": {"total": 5}}, {"safetensors": {"total": 0}, "gguf": {"total": 6}}, {"gguf": {"total": 0}}]
    models = [read_row({**row(), **size}) for size in sizes]
    assert [model.parameters for model in models if isinstance(model, HubModel)] == [5, 6, None]


def test_a17_fields_nobody_knows_are_ignored() -> None:
    assert read_row(row(trendingScore=[1], surprise={"a": None})) == read_row(row())


def test_rows_without_any_name_are_counted_one_by_one() -> None:
    reading = Reading("Qwen")
    reading.take([{}, {}, row(), row(2, downloads=-1), row(2, downloads=-1)])
    assert len(reading.listing().rejected) == 3
    assert reading.listed == 4


# --- one listing


def test_a_listing_asks_for_what_is_stored_in_an_order_that_does_not_move(web: respx.MockRouter, clock: Clock) -> None:
    route = serve(web, answer([row(1), row(2)]), count=2)
    seen = look(clock)
    query = httpx.QueryParams(route.calls.last.request.url.query)
    assert query.get_list("expand") == list(EXPAND)
    assert {name: query[name] for name in ("author", "limit", "sort", "direction")} == {
        "author": "Qwen", "limit": "1000", "sort": "createdAt", "direction": "1",
    }  # fmt: skip
    assert route.calls.last.request.headers["user-agent"].startswith("leadchange/")
    assert [model.repo_id for model in only(seen).models] == ["Qwen/Qwen1", "Qwen/Qwen2"]
    assert (only(seen).num_models, only(seen).problem, seen.problem, seen.requests) == (2, None, None, 2)


def test_a_user_account_has_no_count_and_its_clean_end_suffices(web: respx.MockRouter, clock: Clock) -> None:
    serve(web, answer([row()]), publisher="jane", count=None)
    listing = only(look(clock, "jane"))
    assert (len(listing.models), listing.num_models, listing.problem) == (1, None, None)


def test_a_renamed_publisher_lists_under_its_new_name(web: respx.MockRouter, clock: Clock) -> None:
    serve(web, answer([row(id="zai-org/GLM", author="zai-org")]), publisher="THUDM")
    listing = only(look(clock, "THUDM"))
    assert listing.publisher == "THUDM"
    assert [model.publisher for model in listing.models] == ["zai-org"]


def moved_to(web: respx.MockRouter, *places: str) -> Walk:
    """A look at THUDM, which lists nothing, and whose models are at these places by now."""
    serve(web, answer([]), publisher="THUDM")
    for number, place in enumerate(places):
        found = answer(row(number, id=f"{place}/GLM{number}", author=place))
        web.get(f"{HUB}/api/models/THUDM/GLM{number}").mock(return_value=found)
    serve(web, answer([row(id="zai-org/GLM0", author="zai-org")]), publisher="zai-org", count=1)
    serve(web, answer([row()]), count=1)

    async def run() -> Walk:
        async with Hub(settings()) as hub:
            names = {"THUDM": [f"THUDM/GLM{number}" for number in range(len(places))]}
            return await hub.walk(["THUDM", "Qwen"], known=lambda publisher: names[publisher])

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("places", "listed"),
    [
        (["zai-org", "zai-org"], ["zai-org/GLM0"]),
        pytest.param(["zai-org", "Qwen"], [], id="they went several ways"),
        pytest.param(["qwen"], [], id="to one that is asked anyway"),
        pytest.param([], [], id="none is known"),
    ],
)
def test_a_publisher_that_lists_nothing_is_asked_for_where_its_models_are(
    web: respx.MockRouter, places: list[str], listed: list[str]
) -> None:
    first, other = moved_to(web, *places).listings
    assert (first.publisher, [model.repo_id for model in first.models], first.problem) == ("THUDM", listed, None)
    assert [model.repo_id for model in other.models] == ["Qwen/Qwen1"]


def test_where_models_are_is_not_asked_when_they_were_last_seen_at_one_that_is_asked_anyway(
    web: respx.MockRouter,
) -> None:
    """A registry keeps former names for years: they are to cost nothing but their own empty listing."""
    serve(web, answer([]), publisher="THUDM")
    serve(web, answer([row()]), count=1)

    async def run() -> Walk:
        async with Hub(settings()) as hub:
            return await hub.walk(["THUDM", "Qwen"], known=lambda _: ["Qwen/Qwen1"])

    seen = asyncio.run(run())
    assert (len(seen.listings[0].models), seen.listings[0].problem, seen.requests) == (0, None, 4)


def test_of_a_publisher_that_was_followed_before_the_others_are_listed_when_those_asked_for_are_gone(
    web: respx.MockRouter,
) -> None:
    serve(web, answer([]), publisher="THUDM")
    web.get(f"{HUB}/api/models/zai-org/GLM0").mock(return_value=httpx.Response(404))
    serve(web, answer([row(id="zai-org/GLM1", author="zai-org")]), publisher="zai-org", count=None)

    async def run() -> Walk:
        async with Hub(settings()) as hub:
            return await hub.walk(["THUDM"], known=lambda _: ["zai-org/GLM0"])

    listing = only(asyncio.run(run()))
    assert ([model.repo_id for model in listing.models], listing.called) == (["zai-org/GLM1"], "zai-org")


@pytest.mark.parametrize(
    ("publishers", "listed", "requests"),
    [(["zai-org", "THUDM"], [1, 0], 5), (["THUDM"], [1], 5)],
    ids=["its new name is asked, too", "its new name is not known"],
)
def test_a_former_name_lists_nothing_though_the_hub_counts_what_its_new_name_has(
    web: respx.MockRouter, clock: Clock, publishers: list[str], listed: list[int], requests: int
) -> None:
    serve(web, answer([]), publisher="THUDM")
    serve(web, answer([row(id="zai-org/GLM", author="zai-org")]), publisher="zai-org")
    redirect = httpx.Response(307, headers={"location": "/api/organizations/zai-org/overview"})
    web.get(f"{HUB}/api/organizations/THUDM/overview").mock(return_value=redirect)
    web.get(f"{HUB}/api/organizations/zai-org/overview").mock(return_value=answer({"name": "zai-org", "numModels": 1}))

    seen = look(clock, *publishers)

    assert [len(listing.models) for listing in seen.listings] == listed
    assert [listing.problem for listing in seen.listings] == [None] * len(listed)
    assert seen.requests == requests


def test_a_publisher_asked_for_twice_is_read_once(web: respx.MockRouter, clock: Clock) -> None:
    route = serve(web, answer([row()]), count=1)
    assert len(look(clock, "Qwen", "Qwen").listings) == 1
    assert route.call_count == 1


def test_no_publishers_make_no_request(web: respx.MockRouter) -> None:
    assert walk(settings(), [], token=None) == Walk((), 0)


def test_a12_rejected_rows_are_told_and_count_as_listed(web: respx.MockRouter, clock: Clock) -> None:
    serve(web, answer([row(1), row(2, downloads=-5), {"modelId": "x"}]), count=3)
    listing = only(look(clock))
    assert len(listing.models) == 1
    assert [rejected.repo_id for rejected in listing.rejected] == ["Qwen/Qwen2", None]
    assert listing.problem is None


def test_a17_a_listing_whose_identity_field_was_renamed_fails_loudly(web: respx.MockRouter, clock: Clock) -> None:
    serve(web, answer([{"oid": "1", "id": "Qwen/a"}, {"oid": "2", "id": "Qwen/b"}]), count=2)
    listing = only(look(clock))
    assert not listing.models
    assert len(listing.rejected) == 2


# --- paging


def test_pages_are_followed_by_absolute_and_by_relative_links(web: respx.MockRouter, clock: Clock) -> None:
    route = serve(
        web,
        answer([row(1)], f'<{LIST}?author=Qwen&cursor=a>; rel="next"'),
        answer([row(2)], '</api/models?author=Qwen&cursor=b>; rel="next", </x>; rel="prev"'),
        answer([row(3)], '</.well-known/ai-catalog.json>; rel="ai-catalog"'),
        count=3,
    )
    assert [model.likes for model in only(look(clock)).models] == [1, 2, 3]
    assert route.call_count == 3


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.test/api/models?cursor=a",
        "http://hub.test/api/models?cursor=a",
        "https://hub.test:444/api/models?cursor=a",
        "//evil.test/api/models",
        "https://user:pw@hub.test/api/models",
        "https://hub.test@evil.test/api/models",
        "/Qwen/Qwen1/resolve/main/config.json",
        "https://[bad/",
    ],
)
def test_a8_a_next_page_elsewhere_is_a_problem_and_never_asked_for(
    web: respx.MockRouter, clock: Clock, link: str
) -> None:
    serve(web, answer([row()], f'<{link}>; rel="next"'), count=5)
    listing = only(look(clock, token=TOKEN))
    assert len(web.calls) == 2
    assert len(listing.models) == 1
    assert "not followed" in str(listing.problem) or "no address" in str(listing.problem)
    assert "pw@" not in str(listing.problem)


def test_a9_the_same_next_page_again_ends_the_listing(web: respx.MockRouter, clock: Clock) -> None:
    route = serve(web, answer([row()], f'<{LIST}?author=Qwen&cursor=a>; rel="next"'), count=1)
    listing = only(look(clock))
    assert "do not end" in str(listing.problem)
    assert route.call_count == 2


def test_a9_pages_without_end_are_given_up(
    web: respx.MockRouter, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "_MAX_PAGES", 5)
    links = [answer([row(n)], f'<{LIST}?author=Qwen&cursor={n}>; rel="next"') for n in range(10)]
    route = serve(web, *links, count=99)
    assert "do not end: gave up after 5" in str(only(look(clock)).problem)
    assert route.call_count == 5


def test_a10_a_failure_in_mid_listing_keeps_what_was_read_and_says_so(web: respx.MockRouter, clock: Clock) -> None:
    serve(web, answer([row(1)], f'<{LIST}?author=Qwen&cursor=a>; rel="next"'), httpx.Response(500), count=2)
    listing = only(look(clock))
    assert [model.likes for model in listing.models] == [1]
    assert listing.problem == "answered 500 (4 attempts)"


def test_a11_a_model_listed_twice_with_the_same_values_counts_once(web: respx.MockRouter, clock: Clock) -> None:
    serve(web, answer([row(1)], f'<{LIST}?author=Qwen&cursor=a>; rel="next"'), answer([row(1), row(2)]), count=2)
    listing = only(look(clock))
    assert (len(listing.models), listing.problem) == (2, None)


def test_a11_a_model_listed_twice_with_other_values_is_a_problem(web: respx.MockRouter, clock: Clock) -> None:
    serve(web, answer([row(1), row(1, downloads=5)]), count=1)
    assert "twice with different values" in str(only(look(clock)).problem)


# --- counts


def test_a_count_that_differs_once_is_looked_at_again(web: respx.MockRouter, clock: Clock) -> None:
    serve(web, answer([row(1)]), answer([row(1), row(2)]), count=2)
    listing = only(look(clock))
    assert (len(listing.models), listing.problem) == (2, None)


def test_a_count_that_keeps_differing_is_a_problem(web: respx.MockRouter, clock: Clock) -> None:
    route = serve(web, answer([row(n) for n in range(1, 49)]), count=50)
    assert only(look(clock)).problem == "listed 48 of 50"
    assert route.call_count == 2


def test_a_count_may_differ_by_the_tolerance(web: respx.MockRouter, clock: Clock) -> None:
    serve(web, answer([row(n) for n in range(1, 49)]), count=50)
    assert only(look(clock, count_tolerance=0.04)).problem is None


def test_a18_an_empty_list_is_a_problem_where_the_hub_counts_models(web: respx.MockRouter, clock: Clock) -> None:
    serve(web, answer([]), count=50)
    assert only(look(clock)).problem == "listed 0 of 50"


def test_a18_an_empty_list_where_the_hub_counts_none_is_an_empty_listing(web: respx.MockRouter, clock: Clock) -> None:
    serve(web, answer([]), count=0)
    assert only(look(clock)) == Listing("Qwen", (), 0)


@pytest.mark.parametrize("overview", [{"name": "Qwen"}, {"numModels": "2"}, {"numModels": -1}, {"numModels": True}, {}])
def test_an_overview_without_a_usable_count_is_a_problem(
    web: respx.MockRouter, clock: Clock, overview: dict[str, object]
) -> None:
    serve(web, answer([row()]))
    web.get(f"{HUB}/api/organizations/Qwen/overview").mock(return_value=answer(overview))
    listing = only(look(clock))
    assert len(listing.models) == 1
    assert "numModels" in str(listing.problem)


def test_an_overview_that_cannot_be_read_is_a_problem(web: respx.MockRouter, clock: Clock) -> None:
    serve(web, answer([row()]))
    web.get(f"{HUB}/api/organizations/Qwen/overview").mock(return_value=httpx.Response(503))
    assert "own count" in str(only(look(clock)).problem)


# --- answers that are none


BODIES: dict[str, bytes] = {
    "html": HTML.encode(),
    "null": b"null",
    "error": b'{"error":"Internal Error - We are working hard to fix this"}',
    "object": b"{}",
    "text": b'"[]"',
    "cut": b'[{"_id":"1","id":"a/b","downl',
    "empty": b"",
    "deep": b"[" * 200_000,
    "not utf-8": b'["\xff"]',
    "long number": b'[{"_id":"1","id":"a/b","downloads":' + b"9" * 5000 + b"}]",
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a6_a7_a_body_that_is_no_list_is_asked_for_again_and_then_a_problem(
    web: respx.MockRouter, clock: Clock, body: bytes
) -> None:
    route = serve(web, httpx.Response(200, content=body))
    listing = only(look(clock))
    assert route.call_count == 4
    assert "sha256" in str(listing.problem)
    assert len(str(listing.problem)) < 400


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a6_a7_a_body_that_is_no_list_once_does_no_harm(web: respx.MockRouter, clock: Clock, body: bytes) -> None:
    serve(web, httpx.Response(200, content=body), answer([row()]), count=1)
    assert only(look(clock)).problem is None


def test_an_excerpt_of_a_hostile_answer_is_escaped(web: respx.MockRouter, clock: Clock) -> None:
    serve(web, httpx.Response(200, content="\x1b[2J\u202eno".encode()))
    problem = str(only(look(clock)).problem)
    assert problem.isprintable()
    assert "\\x1b[2J\\u202eno" in problem


def test_a_body_that_does_not_end_is_cut_off(
    web: respx.MockRouter, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_http, "_MAX_BODY_BYTES", 2**20)
    serve(web, httpx.Response(200, content=b" " * (2**20 + 1)))
    assert "more than 1 MB" in str(only(look(clock)).problem)


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504, 599])
def test_a3_an_error_that_passes_is_tried_again(web: respx.MockRouter, clock: Clock, status: int) -> None:
    serve(web, httpx.Response(status), httpx.Response(status), answer([row()]), count=1)
    seen = look(clock)
    assert only(seen).problem is None
    assert clock.slept == [0.5, 1.0]
    assert seen.requests == 4


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a3_an_error_that_stays_is_given_up_and_stops_nobody_else(
    web: respx.MockRouter, clock: Clock, status: int
) -> None:
    route = serve(web, httpx.Response(status))
    serve(web, answer([row()]), publisher="google", count=1)
    seen = look(clock, "Qwen", "google")
    assert [listing.problem for listing in seen.listings] == [f"answered {status} (4 attempts)", None]
    assert seen.problem is None
    assert route.call_count == 4


@pytest.mark.parametrize("status", [400, 403, 410])
def test_a_refusal_is_not_tried_again_and_says_why(web: respx.MockRouter, clock: Clock, status: int) -> None:
    headers = {"x-error-message": "expand.3: Invalid option"}
    route = serve(web, httpx.Response(status, headers=headers), count=1)
    problem = str(only(look(clock)).problem)
    assert problem.startswith(f"answered {status}: 'expand.3: Invalid option'")
    assert route.call_count == 1


@pytest.mark.parametrize(
    "error",
    [
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("slow"),
        httpx.RemoteProtocolError("closed"),
        httpx.DecodingError("gzip"),
        httpx.PoolTimeout("pool"),
    ],
)
def test_a_connection_that_breaks_is_tried_again(web: respx.MockRouter, clock: Clock, error: Exception) -> None:
    serve(web, error, answer([row()]), count=1)
    assert only(look(clock)).problem is None


def test_the_pause_between_attempts_grows_to_a_cap_and_varies(web: respx.MockRouter, clock: Clock) -> None:
    serve(web, httpx.Response(500))
    look(clock, attempts=8)
    assert clock.slept == [0.5, 1, 2, 4, 8, 8, 8]

    async def first_pause(jitter: float) -> float:
        clock = Clock()
        async with Hub(settings(attempts=2), sleep=clock.sleep, jitter=lambda: jitter, clock=clock) as hub:
            await hub.walk(["Qwen"])
        return clock.slept[0]

    assert [asyncio.run(first_pause(jitter)) for jitter in (0.0, 1.0)] == [0.25, 0.75]


# --- the rate limit


def test_a1_after_a_429_the_same_page_is_asked_again_when_the_hub_says(web: respx.MockRouter, clock: Clock) -> None:
    route = serve(
        web,
        answer([row(1)], f'<{LIST}?author=Qwen&cursor=a>; rel="next"'),
        httpx.Response(429, headers={"retry-after": "20"}),
        answer([row(2)]),
        count=2,
    )
    listing = only(look(clock))
    assert (len(listing.models), listing.problem) == (2, None)
    assert [httpx.QueryParams(call.request.url.query).get("cursor") for call in route.calls] == [None, "a", "a"]
    assert sum(clock.slept) == pytest.approx(21)


def test_a1_a_date_in_retry_after_is_measured_by_the_hubs_own_clock(web: respx.MockRouter, clock: Clock) -> None:
    headers = {"retry-after": "Wed, 25 Nov 2026 10:01:00 GMT", "date": "Wed, 25 Nov 2026 10:00:30 GMT"}
    serve(web, httpx.Response(429, headers=headers), answer([row()]), count=1)
    assert only(look(clock)).problem is None
    assert sum(clock.slept) == pytest.approx(31)


def test_a1_without_retry_after_the_window_is_waited_for(web: respx.MockRouter, clock: Clock) -> None:
    headers = {**LIMITS, "RateLimit": '"api";r=0;t=55'}
    serve(web, httpx.Response(429, headers=headers), answer([row()]), count=1)
    assert only(look(clock)).problem is None
    assert 55 < sum(clock.slept) < 60


def test_a2_a_wait_past_the_cap_is_not_slept_and_nobody_else_is_asked(web: respx.MockRouter, clock: Clock) -> None:
    serve(web, answer([row()]), publisher="first", count=1)
    serve(web, httpx.Response(429, headers={"retry-after": "86400"}), publisher="second")
    third = serve(web, answer([row()]), publisher="third", count=1)
    seen = look(clock, "first", "second", "third", concurrency=1)
    assert seen.listings[0].problem is None
    assert all("86400 s, more than the 300 s allowed" in str(listing.problem) for listing in seen.listings[1:])
    assert third.call_count == 0
    assert sum(clock.slept) < 10


def test_a2_a_first_answer_that_sends_us_away_for_a_day_ends_the_walk(web: respx.MockRouter, clock: Clock) -> None:
    web.get(url__startswith=HUB).mock(return_value=httpx.Response(429, headers={"retry-after": "86400"}))
    seen = look(clock, "Qwen", "google")
    assert "more than the 300 s allowed" in str(seen.problem)
    assert all(listing.problem == seen.problem for listing in seen.listings)


def test_no_more_than_the_share_of_the_quota_is_used_in_a_window(web: respx.MockRouter, clock: Clock) -> None:
    used = 0
    window = 0.0
    most = 0

    def count(request: httpx.Request) -> httpx.Response:
        nonlocal used, window, most
        if clock.time >= window:
            used, window = 0, clock.time + 300
        used += 1
        most = max(most, used)
        headers = {
            "RateLimit": f'"api";r={20 - used};t={int(window - clock.time)}',
            "RateLimit-Policy": '"fixed window";"api";q=20;w=300',
        }
        return httpx.Response(200, json=[] if request.url.path == "/api/models" else {"numModels": 0}, headers=headers)

    web.get(url__startswith=HUB).mock(side_effect=count)
    seen = look(clock, *[f"p{n}" for n in range(30)], concurrency=1)
    assert not any(listing.problem for listing in seen.listings)
    assert seen.requests == 60
    assert most <= 10
    assert clock.slept == [301.0] * len(clock.slept)
    assert 5 <= len(clock.slept) <= 8


def test_an_empty_window_waits_for_what_is_in_flight_too() -> None:
    gate = Gate(0.5)
    gate.note(Quota(remaining=8, reset_seconds=100, limit=10), now=0)
    assert gate.wait(in_flight=2, now=0) == 0
    assert gate.wait(in_flight=3, now=0) == 100
    assert gate.wait(in_flight=3, now=100) == 0


def test_answers_that_overtake_each_other_do_not_raise_what_is_left() -> None:
    gate = Gate(1)
    gate.note(Quota(10, 100, 500), now=0)
    gate.note(Quota(12, 101, 500), now=0)
    assert gate.quota == Quota(10, 100, 500)
    gate.note(Quota(9, 100, 500), now=0)
    assert gate.quota == Quota(9, 100, 500)
    gate.note(Quota(499, 300, 500), now=0)  # a new window, earlier than announced
    assert gate.quota == Quota(499, 300, 500)


def test_without_a_policy_only_an_empty_window_holds() -> None:
    gate = Gate(0.5)
    gate.note(Quota(2, 60, None), now=0)
    assert gate.wait(in_flight=1, now=0) == 0
    assert gate.wait(in_flight=2, now=0) == 60


def test_nothing_is_held_before_anything_is_known() -> None:
    assert Gate(0.5).wait(in_flight=16, now=0) == 0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("7", 7),
        (" 7 ", 7),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("", None),
        ("Wed, 25 Nov 2026 10:00:00 GMT", 30),
        ("Wed, 25 Nov 2026 09:00:00 GMT", 0),
        ("Wed, 25 Nov 2026 10:00:00 -0000", 30),
        ("Wed, 25 Nov 2026 10:00:00 +99999999999999999", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(value: str | None, seconds: float | None) -> None:
    now = datetime(2026, 11, 25, 9, 59, 30, tzinfo=UTC)
    assert retry_after_seconds(value, None, now.timestamp()) == seconds
    assert retry_after_seconds(value, format_datetime(now, usegmt=True), 0) == seconds


# --- redirects


def test_a15_a_redirect_at_home_is_followed(web: respx.MockRouter, clock: Clock) -> None:
    serve(web, httpx.Response(307, headers={"location": "/api/models?author=zai-org"}), publisher="THUDM")
    serve(web, answer([row(id="zai-org/GLM")]), publisher="zai-org")
    assert [model.publisher for model in only(look(clock, "THUDM")).models] == ["zai-org"]


def test_a8_a_redirect_loop_ends_after_five(web: respx.MockRouter, clock: Clock) -> None:
    route = serve(web, httpx.Response(302, headers={"location": f"{LIST}?author=Qwen"}), count=1)
    assert "redirects more than 5 times" in str(only(look(clock)).problem)
    assert route.call_count == 6


@pytest.mark.parametrize("location", ["https://evil.test/api/models", "http://hub.test/api/models", "//evil.test/"])
def test_a8_the_token_stays_at_home(web: respx.MockRouter, clock: Clock, location: str) -> None:
    serve(web, httpx.Response(307, headers={"location": location}), count=1)
    listing = only(look(clock, token=TOKEN))
    assert "another origin" in str(listing.problem)
    assert {call.request.url.host for call in web.calls} == {"hub.test"}
    assert {call.request.url.scheme for call in web.calls} == {"https"}


# --- the token


def test_a_token_is_shown_to_the_hub_and_to_nobody_who_reads_us(
    web: respx.MockRouter, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    route = serve(web, answer([row()]), httpx.Response(500), count=1)
    seen = look(clock, token=TOKEN)
    assert route.calls.last.request.headers["authorization"] == f"Bearer {TOKEN}"

    async def shown() -> str:
        async with Hub(settings(), TOKEN) as hub:
            return repr(hub) + repr(hub._client) + repr(vars(hub._client))

    assert TOKEN not in asyncio.run(shown()) + repr(seen) + caplog.text


def test_without_a_token_none_is_shown(web: respx.MockRouter, clock: Clock) -> None:
    route = serve(web, answer([row()]), count=1)
    look(clock)
    assert "authorization" not in route.calls.last.request.headers


def test_a_refused_token_fails_the_whole_walk_and_says_that_none_is_needed(web: respx.MockRouter, clock: Clock) -> None:
    web.get(url__startswith=HUB).mock(return_value=httpx.Response(401, json={"error": "Invalid username or password."}))
    seen = look(clock, "Qwen", "google", token=TOKEN)
    assert "refused the token" in str(seen.problem)
    assert "need none" in str(seen.problem)
    assert all(listing.problem == seen.problem for listing in seen.listings)
    assert seen.requests <= 4
    assert TOKEN not in repr(seen)


def test_a_refused_token_is_not_mistaken_for_a_model_that_is_gone(web: respx.MockRouter) -> None:
    headers = {"x-error-code": "RepoNotFound", "x-error-message": "Invalid credentials in Authorization header"}
    web.get(url__startswith=HUB).mock(return_value=httpx.Response(401, headers=headers))
    with pytest.raises(HubError, match="refused the token"):
        find("a/b", token=TOKEN)


def test_a_401_without_a_token_is_a_problem_of_its_publisher(web: respx.MockRouter, clock: Clock) -> None:
    serve(web, httpx.Response(401), count=1)
    assert str(only(look(clock)).problem).startswith("answered 401")


@pytest.mark.parametrize("token", ["hf_abc\ndef", "", "hf abc", "hf_é", "hf_\x00"])
def test_a_token_that_no_header_can_hold_is_refused_without_being_told(token: str) -> None:
    with pytest.raises(HubError, match="no token has") as caught:
        walk(settings(), ["Qwen"], token=token)
    assert not token or token not in str(caught.value)


def test_the_token_is_the_one_huggingface_hub_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", f"{TOKEN}\n")
    assert read_token() == TOKEN


# --- nothing answers, and time


def test_when_nothing_answers_the_first_publisher_given_up_ends_the_walk(web: respx.MockRouter, clock: Clock) -> None:
    web.get(url__startswith=HUB).mock(side_effect=httpx.ConnectError("All connection attempts failed"))
    seen = look(clock, *[f"p{n}" for n in range(60)])
    assert str(seen.problem).startswith(f"{HUB} cannot be read: ConnectError: All connection attempts failed")
    assert len(seen.listings) == 60
    assert all(listing.problem == seen.problem for listing in seen.listings)
    assert seen.requests <= 9 * 2 * 4  # eight lanes, and the one that had begun when the first was given up


def test_when_everything_is_an_error_few_are_asked(web: respx.MockRouter, clock: Clock) -> None:
    web.get(url__startswith=HUB).mock(return_value=httpx.Response(503))
    seen = look(clock, *[f"p{n}" for n in range(60)])
    assert "answered 503" in str(seen.problem)
    assert seen.requests <= 9 * 2 * 4  # eight lanes, and the one that had begun when the first was given up


def test_a_connection_refused_is_known_well_before_half_a_minute() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    started = time.monotonic()
    seen = walk(settings(endpoint=f"http://127.0.0.1:{port}", attempts=2), ["a", "b"], token=None)
    assert "cannot be read: ConnectError" in str(seen.problem)
    assert time.monotonic() - started < 8


def slowly(seconds: float, response: httpx.Response) -> Callable[[httpx.Request], Any]:
    async def later(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(seconds)
        return response

    return later


def test_a4_a_request_without_an_answer_is_given_up(web: respx.MockRouter, clock: Clock) -> None:
    serve(web, answer([row()]), count=1)
    web.get(LIST, params={"author": "Qwen"}).mock(side_effect=slowly(60, answer([])))
    problem = only(look(clock, timeout_seconds=0.05, attempts=2)).problem
    assert problem == "no complete answer within 0.05 s (2 attempts)"


def test_a_walk_past_its_deadline_keeps_what_it_has(web: respx.MockRouter, clock: Clock) -> None:
    serve(web, answer([row()]), publisher="fast", count=1)
    serve(web, answer([row()]), publisher="slow", count=1)
    web.get(LIST, params={"author": "slow"}).mock(side_effect=slowly(60, answer([])))
    seen = look(clock, "fast", "slow", deadline_seconds=0.2)
    assert seen.problem == "not finished within 0.2 s"
    assert [listing.problem for listing in seen.listings] == [None, seen.problem]
    assert len(seen.listings[0].models) == 1


def test_progress_is_told_each_listing_when_it_is_finished(web: respx.MockRouter) -> None:
    serve(web, answer([row(1)]), publisher="a", count=1)
    serve(web, answer([row(2)]), publisher="b", count=2)
    told: list[Listing] = []
    seen = walk(settings(), ["a", "b"], token=None, progress=told.append)
    assert sorted(told, key=lambda listing: listing.publisher) == list(seen.listings)


def test_a_walk_told_to_stop_before_it_begins_asks_nothing(web: respx.MockRouter) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(WalkCancelled):
        walk(settings(), ["Qwen"], token=None, stop=stop)
    assert not web.calls


def test_a_walk_is_stopped_in_the_middle_of_a_long_wait(web: respx.MockRouter) -> None:
    serve(web, httpx.Response(429, headers={"retry-after": "200"}), count=1)
    stop = threading.Event()
    timer = threading.Timer(0.2, stop.set)
    timer.start()
    started = time.monotonic()
    with pytest.raises(WalkCancelled):
        walk(settings(), ["Qwen"], token=None, stop=stop)
    timer.join()
    assert time.monotonic() - started < 8


def test_a_name_lookup_that_hangs_holds_up_neither_the_deadline_nor_the_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()

    def hang(*_: object, **__: object) -> None:
        release.wait(10)
        raise socket.gaierror("no such host")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    started = time.monotonic()
    seen = walk(settings(deadline_seconds=0.3), ["Qwen"], token=None)
    assert seen.problem == "not finished within 0.3 s"
    assert time.monotonic() - started < 8
    release.set()


def test_an_error_of_ours_is_not_swallowed(web: respx.MockRouter) -> None:
    serve(web, answer([row()]), count=1)

    def fail(_: Listing) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        walk(settings(), ["Qwen"], token=None, progress=fail)


# --- single questions


def test_overviews_tell_the_present_name_and_what_is_no_organisation(web: respx.MockRouter) -> None:
    web.get(f"{HUB}/api/organizations/THUDM/overview").mock(
        return_value=httpx.Response(307, headers={"location": "/api/organizations/zai-org/overview"})
    )
    web.get(f"{HUB}/api/organizations/zai-org/overview").mock(return_value=answer({"name": "zai-org", "numModels": 9}))
    web.get(f"{HUB}/api/organizations/jane/overview").mock(return_value=httpx.Response(404))
    assert overviews(settings(), ["THUDM", "jane"], token=None) == {"THUDM": Overview("zai-org", 9), "jane": None}


def test_a15_a_renamed_model_is_found_and_a_deleted_one_is_none(web: respx.MockRouter) -> None:
    web.get(f"{HUB}/api/models/THUDM/GLM").mock(
        return_value=httpx.Response(307, headers={"location": f"{HUB}/api/models/zai-org/GLM"})
    )
    web.get(f"{HUB}/api/models/zai-org/GLM").mock(return_value=answer(row(id="zai-org/GLM")))
    web.get(f"{HUB}/api/models/a/gone").mock(return_value=httpx.Response(401, headers={"x-error-code": "RepoNotFound"}))
    found = find("THUDM/GLM", "a/gone", token=TOKEN)
    assert found["THUDM/GLM"] is not None
    assert found["THUDM/GLM"].repo_id == "zai-org/GLM"
    assert found["a/gone"] is None


def test_a_single_model_that_makes_no_sense_is_an_error(web: respx.MockRouter) -> None:
    web.get(f"{HUB}/api/models/a/b").mock(return_value=answer({"id": "a/b"}))
    with pytest.raises(HubError, match="a/b: no usable _id"):
        find("a/b")


def test_questions_that_take_too_long_are_an_error(web: respx.MockRouter) -> None:
    web.get(f"{HUB}/api/models/a/b").mock(side_effect=slowly(60, answer({})))
    with pytest.raises(HubError, match="not finished within"):
        find("a/b", deadline_seconds=0.1)


def test_reach_says_what_the_hub_answered(web: respx.MockRouter) -> None:
    web.get(LIST).mock(return_value=answer([row()]))
    assert reach(settings(), None) == f"{HUB} answers, without a token: 499 of 500 requests left for 293 s"
    assert "with a token" in reach(settings(), TOKEN)


@pytest.mark.parametrize(
    ("response", "words"),
    [
        (httpx.Response(404), "is it a Hub"),
        (httpx.Response(403), "answered 403"),
        (httpx.Response(401), "refused the token"),
        (httpx.Response(200, text=HTML), "no JSON"),
    ],
)
def test_reach_says_what_is_wrong(web: respx.MockRouter, response: httpx.Response, words: str) -> None:
    web.get(LIST).mock(side_effect=lambda _: httpx.Response(response.status_code, content=response.content))
    with pytest.raises(HubError, match=words):
        reach(settings(attempts=1), TOKEN)


@pytest.mark.parametrize(
    "body",
    [
        *(json.dumps(value).encode() for value in ([], {"a": [None, True, -1.5e-7, 10**30, "\N{SNOWMAN} \\ud83d"]})),
        b'{"a": 1, "a": 2}', b"[NaN, -Infinity, 1e400, -0]", b'["\\ud800", "\xed\xa0\x80", "\x7f"]',
        b"[" * 300 + b"]" * 300,
        '["\N{SNOWMAN}"]'.encode("utf-16"), b"\xef\xbb\xbf[1]", b"  [1]\n", b"", HTML.encode(), b"[1", b"[1,]", b"[01]",
        b"[1] x", b"['a']", b"[nan]", b'["\x00"]', b'["\xff"]', b'["\\x"]', b"[" * 10**5, b"[" + b"9" * 5000 + b"]",
    ],
)  # fmt: skip
def test_json_is_read_as_the_standard_library_reads_it(body: bytes) -> None:
    assert outcome(hub_http.read_json, body) == outcome(json.loads, body)


def outcome(read: Callable[[bytes], Any], body: bytes) -> str:
    """What came of it, in letters, for NaN is not what it is."""
    try:
        return repr(read(body))
    except (ValueError, RecursionError) as error:
        return type(error).__name__


# --- settings and manners


def test_settings_refuse_what_they_do_not_know_and_what_makes_no_sense() -> None:
    for wrong in [
        {"endpont": "x"}, {"endpoint": "huggingface.co"}, {"endpoint": "ftp://hub.test"}, {"endpoint": "https://"},
        {"endpoint": "https://u:p@hub.test"}, {"endpoint": "https://hub.test/?a=1"}, {"endpoint": "https://h:port"},
        {"quota_share": 0}, {"quota_share": 1.5}, {"timeout_seconds": 0}, {"timeout_seconds": float("inf")},
        {"concurrency": 0}, {"page_size": 2000}, {"attempts": 0}, {"count_tolerance": 1},
    ]:  # fmt: skip
        with pytest.raises(pydantic.ValidationError):
            HubSettings.model_validate(wrong)


def test_settings_describe_themselves_and_forget_a_trailing_slash() -> None:
    assert HubSettings(endpoint=f"{HUB}/hf/").endpoint == f"{HUB}/hf"
    assert all(field.description for field in HubSettings.model_fields.values())
    assert HubSettings().endpoint == "https://huggingface.co"


def test_an_endpoint_may_have_a_path(web: respx.MockRouter, clock: Clock) -> None:
    web.get(f"{HUB}/hf/api/organizations/Qwen/overview").mock(return_value=httpx.Response(404))
    web.get(f"{HUB}/hf/api/models").mock(return_value=answer([row()]))
    assert len(only(look(clock, endpoint=f"{HUB}/hf")).models) == 1


def test_addresses_are_not_logged() -> None:
    assert not logging.getLogger("httpx").isEnabledFor(logging.INFO)
    assert not logging.getLogger("httpcore").isEnabledFor(logging.INFO)


def test_nobody_is_trusted_where_nobody_speaks_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    for proxy in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(proxy, raising=False)
        monkeypatch.delenv(proxy.upper(), raising=False)
    trusted = [hub_http.authorities(endpoint) for endpoint in ("http://127.0.0.1:80", "https://hub.test", "HTTP://hub")]
    monkeypatch.setenv("HTTP_PROXY", "https://proxy.test")
    trusted.append(hub_http.authorities("http://127.0.0.1:80"))
    assert [bool(context.cert_store_stats()["x509_ca"]) for context in trusted] == [False, True, True, True]
    assert all(context.check_hostname and context.verify_mode == ssl.CERT_REQUIRED for context in trusted)


def test_a_proxy_that_cannot_be_used_is_an_error_of_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "nonsense://proxy")
    with pytest.raises(HubError, match="proxy named in the environment"):
        walk(settings(), ["Qwen"], token=None)


def test_no_answer_of_the_hub_makes_a_publishers_name_into_another_address(web: respx.MockRouter, clock: Clock) -> None:
    web.get(url__startswith=HUB).mock(return_value=answer([]))
    look(clock, "a/../b?c", attempts=1)
    paths = {call.request.url.raw_path.split(b"?")[0] for call in web.calls}
    assert paths == {b"/api/models", b"/api/organizations/a%2F..%2Fb%3Fc/overview"}


def test_the_first_failure_is_raised_as_it_is_and_the_rest_is_cancelled() -> None:
    cancelled = []

    async def long() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    async def fail() -> None:
        raise HubError("no")

    async def both() -> None:
        await waiting.together(long(), fail())

    with pytest.raises(HubError, match="no"):
        asyncio.run(both())
    assert cancelled
