"""What could not be made because its name is taken: by ours from before a crash, or by another, which is waited for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from batchyard.kube.session import Session
from batchyard.model.plan import Start
from batchyard.world.notes import Refusal
from batchyard.world.store import Store
from batchyard.world.views import Pod

NAME_TAKEN_SECONDS = 5.0
NAME_TAKEN = {"Service": "ServiceNameTaken", "PersistentVolumeClaim": "ClaimNameTaken"}  # kind -> what the job is told


@dataclass(frozen=True, slots=True)
class First:
    """What must be there before a pod can be: a Service or a PersistentVolumeClaim, as its body."""

    verb: Start
    pod: Pod
    plural: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Taken:
    """Something that was to be made under a name that is taken; `owner` is the uid of the job or schedule it is for."""

    path: str
    owner: str
    reason: str
    message: str  # what the owner is told if it is not ours
    adopt: Callable[[bytes], bool]  # takes in what is there if it is ours, and says whether it is
    give_up: Callable[[], None]  # takes back what was assumed


async def look(store: Store, session: Session, taken: Taken, now: Callable[[], float]) -> None:
    """Find out whose it is; what is gone again, or cannot be seen, is decided anew."""
    ours = False
    try:
        answer = await session.request("GET", taken.path)
        ours = answer.ok and taken.adopt(answer.body)
        if not ours and answer.status != 404:
            store.refusals[taken.owner] = Refusal(taken.reason, taken.message, now() + NAME_TAKEN_SECONDS)
    finally:
        if not ours:
            taken.give_up()
