"""The words in which a failing history is told."""

from __future__ import annotations

from tests.simulation.receipts import Receipt
from tests.simulation.worker import Worker


def named(worker: Worker) -> str:
    return f"owner {worker.owner} of partition {worker.partition} in epoch {worker.epoch}"


def state_of(worker: Worker) -> str:
    if worker.restoring:
        return "still restoring"
    return f"applied {worker.applied}, {len(worker.buffer)} sends under way"


def landing(worker: Worker, landed: int) -> str:
    bits = "".join(str(landed >> at % 24 & 1) for at in range(len(worker.buffer)))
    return f"of its {len(worker.buffer)} sends land: {bits or 'none'}"


def shown(receipt: Receipt) -> str:
    lines = ", ".join(
        f"{line.quantity} {line.sku} {line.amount}{' void' * line.void}{' back' * line.returned}"
        for line in receipt.lines
    )
    fault = f" (faulty: {receipt.fault})" if receipt.fault else ""
    return f"{receipt.type} {receipt.name} of store {receipt.store} at minute {receipt.minute}: {lines}{fault}"
