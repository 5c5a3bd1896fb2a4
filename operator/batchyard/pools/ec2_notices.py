"""Two-minute notices: EventBridge's "EC2 Spot Instance Interruption Warning", read from an SQS queue.

A notice becomes a tag of the instance and only then leaves the queue, so that no restart of ours forgets it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

WARNING = "EC2 Spot Instance Interruption Warning"
NOTICE_SECONDS = 120.0
MOST = 10  # messages that SQS gives at once


def deadline(message: Mapping[str, Any]) -> tuple[str, float] | None:
    """Return the instance that a message warns of and when it ends (seconds since 1970); None for anything else."""
    try:
        event = json.loads(message["Body"])
        if event["detail-type"] != WARNING:
            return None
        given = datetime.fromisoformat(event["time"]).timestamp()
        return str(event["detail"]["instance-id"]), given + NOTICE_SECONDS
    except (KeyError, TypeError, ValueError):
        return None


def deletion(queue: str, messages: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the DeleteMessageBatch request for messages that are dealt with."""
    entries = [{"Id": str(number), "ReceiptHandle": m["ReceiptHandle"]} for number, m in enumerate(messages)]
    return {"QueueUrl": queue, "Entries": entries}
