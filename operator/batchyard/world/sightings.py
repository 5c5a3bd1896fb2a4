"""What was seen of the pods of each definition's newest revision: what they used, how long they waited and ran."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from batchyard.model.machine import Shape
from batchyard.model.resources import NOTHING, Resources, read
from batchyard.world.views import Container, Definition, Job, Key, Pod, key

PODS = 50  # the latest of a definition that are kept
DEFINITIONS = 2_000  # of which something is kept
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Use:
    """What one pod asked for, the most that was seen of it in use, and the node that it had, if that has a price."""

    asked: Resources
    used: Resources
    shape: Shape | None = None
    capacity_type: str = "OnDemand"


@dataclass(frozen=True, slots=True)
class Stay:
    """A pod's time on its node in seconds: `waited` until its containers ran, volumes and images included, and `ran`.

    `starved` is the memory that it asked for if it was killed for want of more, else 0.
    """

    node: str
    waited: float
    ran: float
    starved: int = 0


def stay(pod: Pod) -> Stay | None:
    """Return the stay of a pod that has ended, None where its kubelet has not told of it all.

    Counted from the kubelet's first sight of the pod: of what kubelets tell of it, this stands in all versions, and
    also once the pod has ended. What init containers took is not waited for, what the images after them took is.
    """
    starts = [container.started for container in pod.containers if container.started]
    ends = [container.finished for container in pod.containers if container.finished]
    if pod.acknowledged is None or not starts or not ends:
        return None
    between = _between(pod.containers)
    starved = pod.requests.memory if any(container.reason == "OOMKilled" for container in pod.containers) else 0
    waited = max(min(starts) - pod.acknowledged, 0.0) + between
    return Stay(pod.node, waited, max(max(ends) - min(starts) - between, 0.0), starved)


def _between(containers: tuple[Container, ...]) -> float:
    """Return the seconds from the end of the last init container to the start of the first main one."""
    init = [each.finished for each in containers if each.init and not each.sidecar and each.finished]
    main = [each.started for each in containers if not each.init and each.started]
    return max(min(main) - max(init), 0.0) if init and main else 0.0


@dataclass(slots=True)
class Sighting:
    """Of one definition: its pods that live (uid -> name and use), and the latest that ended, by their uids."""

    revision: int
    live: dict[str, tuple[Key, Use]] = field(default_factory=dict)
    ended: dict[str, Use] = field(default_factory=dict)
    stays: dict[str, Stay] = field(default_factory=dict)

    @property
    def floor(self) -> Resources:
        """Return what is surely needed, though no pod that ended was seen to use it: live ones do, or one starved."""
        most = Resources(memory=max((stay.starved for stay in self.stays.values()), default=0))
        for _, use in self.live.values():
            most = most.largest(Resources(cpu=use.used.cpu, memory=use.used.memory))
        return most

    @property
    def lasts(self) -> float | None:
        """Return for how many seconds a pod runs in the mean, None if no end is known."""
        return sum(stay.ran for stay in self.stays.values()) / len(self.stays) if self.stays else None


class Sightings(OrderedDict[Key, Sighting]):
    """By definition; `fresh` are those of which a pod has ended since somebody emptied it."""

    def __init__(self) -> None:
        super().__init__()
        self.fresh: set[Key] = set()

    def of(self, definition: Definition, asked: Resources = NOTHING) -> Sighting:
        """Return what was seen of a definition; a new revision begins anew, a new operator with what is on record."""
        where = key(definition)
        found = self.get(where)
        if found is None or found.revision != definition.generation:
            found = self[where] = Sighting(definition.generation, ended=on_record(definition, asked))
        self.move_to_end(where)
        while len(self) > DEFINITIONS:
            self.fresh.discard(self.popitem(last=False)[0])
        return found

    def see(self, definition: Definition, pod: Pod, use: Use) -> None:
        """Take in what a pod that lives uses now."""
        live = self.of(definition, use.asked).live
        known, used = live.get(pod.uid), use.used
        if known is None:
            live[pod.uid] = key(pod), use
        elif used.cpu > known[1].used.cpu or used.memory > known[1].used.memory:
            live[pod.uid] = known[0], replace(use, used=used.largest(known[1].used))

    def settle(self, pods: Mapping[Key, Pod]) -> None:
        """Count those that were seen until they ended: of what still runs nobody knows what it will use."""
        for where, sighting in self.items():
            over = [uid for uid, (name, _) in sighting.live.items() if not _lives(pods.get(name), uid)]
            for uid in over:
                _keep(sighting.ended, uid, sighting.live.pop(uid)[1])
            if over:
                self.fresh.add(where)

    def hear(self, definition: Definition, pod: Pod, *, claims: bool = False) -> None:
        """Take in that a pod has ended; one whose job has volume claims of its own has waited nobody knows for what."""
        found = stay(pod)
        if found is not None:
            found = replace(found, waited=0.0) if claims else found
            _keep(self.of(definition, pod.requests).stays, pod.uid, found)
            self.fresh.add(key(definition))

    def forget(self, where: Key) -> None:
        """Drop a definition that is gone."""
        self.pop(where, None)
        self.fresh.discard(where)


def _lives(pod: Pod | None, uid: str) -> bool:
    return pod is not None and pod.uid == uid and not pod.final


def _keep(table: dict[str, T], uid: str, what: T) -> None:
    table.pop(uid, None)
    table[uid] = what
    while len(table) > PODS:
        del table[next(iter(table))]


def source(job: Job | None, definitions: Mapping[Key, Definition], pod: Pod) -> Definition | None:
    """Return the definition whose newest revision a pod is made from, None where its job asks for something else."""
    if job is None or job.spec.definition is None:
        return None
    found = definitions.get(Key(job.namespace, job.spec.definition.name))
    if found is None or found.blueprint is None or pod.revision != found.generation:
        return None
    gangs = (job.spec.multi_node, found.blueprint.multi_node)
    mixed = any(group.template for gang in gangs if gang for group in gang.groups)
    changed = any("resources" in each for each in (job.spec.overrides or {}).get("containers") or ())
    return None if mixed or changed else found


def on_record(definition: Definition, asked: Resources = NOTHING) -> dict[str, Use]:
    """Return the pods that `status.advice` tells of, each as the largest of them; `asked` has the devices."""
    record: Mapping[str, Any] = definition.status.get("advice") or {}
    try:
        before, used = (read(record[part], pods=0) for part in ("asked", "used"))
        count = min(int(record["pods"]), PODS) if record["revision"] == definition.generation else 0
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}
    use = Use(Resources(cpu=before.cpu, memory=before.memory, pods=1, extended=asked.extended), used)
    return {f"on record {number}": use for number in range(count)}
