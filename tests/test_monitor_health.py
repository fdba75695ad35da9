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
