"""A stub in the journal is refused with the words of what it stands for, and leaves the same dead letter."""

from __future__ import annotations

import pytest

from schemas import stub
from schemas.admission import admit
from schemas.deadletter import kept
from schemas.errors import Refused
from tests.unit.schemas.receipts import changed, encoded

CARD = "4111 1111 1111 1111"


def refusal(value, key=b"12"):
    with pytest.raises(Refused) as refused:
        admit(key, value, 0, 0)
    return refused.value.path, refused.value.reason, refused.value.hint


@pytest.mark.parametrize(
    "value",
    [encoded(changed("$.customer_id", CARD)), encoded(changed("$.currency", "NO")), b'{"note": "' + CARD.encode()],
)
def test_the_refusal_is_the_same(value):
    with pytest.raises(Refused) as refused:
        admit(b"12", value, 0, 0)
    written = stub.write(refused.value)
    assert refusal(written) == refusal(value)
    assert CARD.encode() not in written
    assert kept(written) is None


@pytest.mark.parametrize("value", [b"", b"{", b'{"tillstream_refused":', b'{"tillstream_refused":{"path":1}}'])
def test_what_only_looks_like_one_is_refused_as_any_message(value):
    assert stub.read(value) is None
    assert refusal(value)
    assert kept(value) == value
