"""How the monitor is doing, as told from what is known of it."""

from __future__ import annotations

from datetime import timedelta

from spine import moment

from monitor.health import Facts, Look, judge


def test_what_every_job_failed_of_is_said_once() -> None:
    full = "the disk of warehouse.duckdb is full; what was stored before is kept: free some space and run again"
    ended = {"collect": full, "deliver": full, "prune": "prune had to be ended, or died"}
    looks = [Look(1, "hub", moment(0))]
    health = judge(Facts(moment(0) + timedelta(hours=1), looks, ended=ended))
    assert health.reasons == (full, ended["prune"])


def test_of_many_snapshots_that_a_wrong_clock_has_dated_a_few_are_named_and_the_others_counted() -> None:
    looks = [*(Look(number, "hub", moment(number)) for number in range(40, 33, -1)), Look(1, "hub", moment(0))]
    notes = judge(Facts(moment(0) + timedelta(hours=1), looks)).notes
    assert [note.partition(" is of ")[0] for note in notes] == [
        "snapshot 40",
        "snapshot 39",
        "snapshot 38",
        "so it is with 4 more; `leadchange check` lists them",
    ]
    assert len(judge(Facts(moment(0) + timedelta(hours=1), looks[4:])).notes) == 3
