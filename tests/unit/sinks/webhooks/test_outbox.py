"""Who is next, and who waits for whom."""

from __future__ import annotations

import random

from sinks.webhooks.known import Known
from sinks.webhooks.outbox import Outbox
from tests.unit.sinks.webhooks.samples import NOW, delivery


def one(number, alert="a1", sequence=1, at=0, **fields):
    return delivery(webhook_id=f"msg_{number}", alert_id=alert, sequence=sequence, next_at=NOW + at, **fields)


def taken(box, now=NOW, endpoint="erp"):
    found = []
    while (next_one := box.take(endpoint, now)) is not None:
        found.append(next_one.webhook_id)
    return found


def test_what_is_due_goes_in_the_order_of_its_time_and_no_earlier():
    box = Outbox()
    for number, at in ((1, 3), (2, 1), (3, 2), (4, 9)):
        box.put(one(number, alert=str(number), at=at))
    assert box.next_at("erp") == NOW + 1
    assert taken(box, NOW) == []
    assert taken(box, NOW + 3) == ["msg_2", "msg_3", "msg_1"]
    assert box.next_at("erp") == NOW + 9


def test_a_larger_sequence_of_an_alert_waits_until_the_smaller_is_done():
    box = Outbox()
    box.put(one(2, sequence=2))
    box.put(one(1, sequence=1, at=5))
    assert taken(box, NOW) == []
    assert taken(box, NOW + 5) == ["msg_1"]
    assert box.next_at("erp") is None
    box.put(one(1, sequence=1, at=50))  # it failed: another attempt
    assert taken(box, NOW + 10) == []
    assert taken(box, NOW + 50) == ["msg_1"]
    box.done("msg_1")
    assert taken(box, NOW + 50) == ["msg_2"]


def test_endpoints_do_not_wait_for_each_other():
    box = Outbox()
    box.put(one(1, sequence=1, at=500))
    box.put(one(2, sequence=2, endpoint="shop"))
    assert taken(box, endpoint="shop") == ["msg_2"]


def test_a_smaller_sequence_that_is_asked_for_again_waits_for_the_larger_that_is_under_way():
    box = Outbox()
    box.put(one(2, sequence=2))
    assert taken(box) == ["msg_2"]
    box.put(one(1, sequence=1))
    assert taken(box) == []
    box.done("msg_2")
    assert taken(box) == ["msg_1"]


def test_a_time_that_is_changed_counts_and_the_old_one_no_more():
    box = Outbox()
    box.put(one(1, at=500))
    box.put(one(1, at=1))
    assert taken(box, NOW + 1) == ["msg_1"]
    assert taken(box, NOW + 500) == []


def test_what_stands_in_a_partition_that_is_no_longer_ours_is_forgotten():
    box = Outbox()
    box.put(one(1))
    box.put(one(2, sequence=2, partition=1))
    box.drop(0)
    assert "msg_1" not in box
    assert taken(box) == ["msg_2"]
    box.drop(1)
    assert (len(box), box.next_at("erp")) == (0, None)
    box.done("msg_2")


def test_by_chance_each_goes_out_once_and_sequences_of_an_alert_in_order():
    drawn = random.Random(7)
    box, out, under_way, now = Outbox(), [], [], NOW
    waiting = [one(f"{alert}.{sequence}", str(alert), sequence, drawn.randrange(20))
               for alert in range(40) for sequence in range(1, 5)]  # fmt: skip
    drawn.shuffle(waiting)
    everything = {delivery.webhook_id for delivery in waiting}
    for each in waiting:  # all are known before the first goes out
        box.put(each)
    while len(box):
        now += 1
        while (found := box.take("erp", now)) is not None:
            assert found.alert_id not in {other.alert_id for other in under_way}
            under_way.append(found)
        drawn.shuffle(under_way)
        while under_way and drawn.random() < 0.7:
            finished = under_way.pop()
            if drawn.random() < 0.3:
                box.put(one(finished.webhook_id[4:], finished.alert_id, finished.sequence, now - NOW + 3))
            else:
                out.append(finished)
                box.done(finished.webhook_id)
    assert {delivery.webhook_id for delivery in out} == everything
    assert len(out) == len(everything)
    for alert in range(40):
        assert [delivery.sequence for delivery in out if delivery.alert_id == str(alert)] == [1, 2, 3, 4]


def test_ids_are_forgotten_once_no_alert_could_bring_them_back(monkeypatch):
    monkeypatch.setattr("sinks.webhooks.known._FEW", 2)
    known = Known(kept=100)
    for number, age in enumerate((500, 99, 50)):
        known.add(one(number, occurred_at=NOW - age, offset=number))
    known.forget(NOW)
    assert [f"msg_{number}" in known for number in range(3)] == [False, True, True]
    assert known.newest(0).offset == 2
    known.drop(0)
    assert (known.newest(0), "msg_2" in known) == (None, False)
