"""A node that has refused five pods in a row gets no more for five minutes; a machine of ours without jobs is replaced.

Otherwise a broken node, being the emptiest, is the one that each job is sent to.
"""

from __future__ import annotations

from batchyard.world.store import Store

IN_A_ROW = 5
SECONDS = 300.0


def refuses(store: Store, node: str, now: float) -> str:
    """Return how a node refuses pods, in words that follow its name; "" if it does not, or may have stopped to."""
    refused = store.refusers.get(node)
    if refused is None or len(refused) < IN_A_ROW:
        return ""
    latest, why = max(refused.values())
    return f"has refused {len(refused)} pods in a row: {why}".rstrip(": ") if now < latest + SECONDS else ""
