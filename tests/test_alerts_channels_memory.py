"""The double behaves like the channels it stands for."""

from __future__ import annotations

import pytest
from alert_samples import sent

from alerts.channels import ChannelError, Reconciling
from alerts.channels.memory import Memory, MemorySettings


@pytest.fixture
def memory() -> Memory:
    return Memory(MemorySettings(name="double"))


def test_it_keeps_what_it_is_given(memory: Memory) -> None:
    assert memory.send(sent()).id == "memory-1"
    assert memory.send(sent(alert_id="b")).id == "memory-2"
    assert [message.alert_id for message in memory.sent] == [sent().alert_id, "b"]


def test_it_fails_as_often_as_asked_and_then_works(memory: Memory) -> None:
    memory.fail(ChannelError("later", retry_after=3.0, settled=("anna",)), times=2)
    memory.fail(ChannelError("never", permanent=True))
    failures = []
    for _ in range(3):
        with pytest.raises(ChannelError) as caught:
            memory.send(sent())
        failures.append((str(caught.value), caught.value.permanent, caught.value.retry_after, caught.value.settled))
    assert failures == [("later", False, 3.0, ("anna",))] * 2 + [("never", True, None, ())]
    memory.send(sent())
    assert (len(memory.sent), memory.attempts) == (1, 4)


def test_a_message_may_arrive_although_nobody_hears_so(memory: Memory) -> None:
    memory.fail(ChannelError("hung up", uncertain=True), arrives=True)
    with pytest.raises(ChannelError):
        memory.send(sent())
    assert isinstance(memory, Reconciling)
    found = memory.reconcile(sent())
    assert found is not None
    assert found.id == "memory-1"
    assert memory.reconcile(sent(alert_id="b")) is None


def test_it_tells_what_nobody_expected(memory: Memory) -> None:
    for title in ("a", "b", "a"):
        memory.send(sent(title=title))
    assert memory.titles == ["a", "b", "a"]
    assert memory.unexpected(["a", "b", "a"]) == []
    assert memory.unexpected(["a", "c"]) == ["b", "a"]
