"""A change to the topics is done once every broker tells of it, whichever is asked."""

from __future__ import annotations

import pytest
from aiokafka.errors import NodeNotReadyError

from tillstream.heard import heard_by_all


class Cluster:
    """Brokers that hear of a topic after they have been asked so many times; None is one that is down."""

    def __init__(self, *hears_after, partitions=4):
        self.hears_after = list(hears_after)
        self.partitions = partitions
        self.asked = [0] * len(hears_after)

    async def describe_cluster(self):
        return {"brokers": [{"node_id": node} for node in range(len(self.hears_after))]}

    async def _send_request(self, request, node):
        assert request._topics is None, "a broker may create what it is asked about"
        if self.hears_after[node] is None:
            raise NodeNotReadyError
        self.asked[node] += 1
        topics = [{"topic": "new", "partitions": [{}] * self.partitions}]
        return Answer(topics if self.asked[node] > self.hears_after[node] else [])


class Answer:
    def __init__(self, topics):
        self.topics = topics

    def to_object(self):
        return {"topics": self.topics}


@pytest.mark.parametrize(("hears_after", "asked"), [((0, 0, 0), 1), ((0, 2, 1), 3), ((0, None, 1), 2)])
async def test_waits_for_the_broker_that_hears_of_it_last_but_for_none_that_is_down(hears_after, asked):
    cluster = Cluster(*hears_after)
    assert await heard_by_all(cluster, {"new": 4})
    assert max(cluster.asked) == asked


@pytest.mark.parametrize("cluster", [Cluster(0, 1_000), Cluster(0, partitions=3), Cluster(None, None)])
async def test_tells_where_a_broker_has_not_heard_of_all_partitions_in_time(cluster):
    assert not await heard_by_all(cluster, {"new": 4}, limit=0.0)
