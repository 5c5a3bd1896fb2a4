"""The pods of a multi-node job: the main one, which carries the reservation for all, and the workers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from batchyard.decide.checkpoint import claim
from batchyard.decide.cycle import PodSet
from batchyard.decide.gang import Gang
from batchyard.decide.needs import Needs, needs_of
from batchyard.decide.pods import Placement, Run, Seat, manifest, service
from batchyard.model import labels as names
from batchyard.model.plan import Start
from batchyard.world.store import Store
from batchyard.world.views import Environment, Pod


def sets_of(gang: Gang, capacity_type: str) -> tuple[PodSet, ...]:
    """Return the nodes of a gang by group; ValueError names a quantity that is none."""
    members: dict[int, list[int]] = {}
    for node, group in enumerate(gang.group_of):
        members.setdefault(group, []).append(node)
    return tuple(
        PodSet(tuple(nodes), needs_of(gang.templates[group], capacity_type), gang.templates[group])
        for group, nodes in members.items()
    )


def main_start(store: Store, run: Run, gang: Gang, kept: Mapping[int, str]) -> Start:
    """Return the start of the main pod, which keeps the nodes of all; its Service comes first."""
    seat = Seat(gang.main, gang.main, gang.nodes, dict(sorted(kept.items())))
    place = _pinned(store, run.place, kept[gang.main], needs_scheduler=not run.place.node)
    pod = manifest(replace(run, place=place, seat=seat), gang.template(gang.main))
    its = claim(run.job, gang.main, run.checkpoint)
    return Start(run.job.uid, run.attempt, run.place.environment, pod, service(run.job), its)


def worker_starts(store: Store, run: Run, gang: Gang, main: Pod, missing: Mapping[int, Needs]) -> Iterator[Start]:
    """Yield the starts of those workers whose pods do not exist, each on the node that is kept for it."""
    environment = store.environments.get(run.place.environment)
    for node, needs in missing.items():
        seat = Seat(node, gang.main, gang.nodes, address=main.ip)
        place = _pinned(store, run.place, main.gang[str(node)], not _is_ours(environment) or needs.scheduler)
        pod = manifest(replace(run, place=place, seat=seat), gang.template(node))
        its = claim(run.job, node, run.checkpoint)
        yield Start(run.job.uid, run.attempt, place.environment, pod, claim=its)


def _is_ours(environment: Environment | None) -> bool:
    return environment is None or environment.managed


def _pinned(store: Store, place: Placement, node: str, needs_scheduler: bool) -> Placement:
    """What kube-scheduler must place, it places on the node that was chosen: its room is kept for this pod."""
    if not needs_scheduler:
        return replace(place, node=node)
    known = store.nodes.get(node)
    hostname = known.labels.get(names.HOSTNAME, node) if known else node
    return replace(place, node="", selector={**place.selector, names.HOSTNAME: hostname})
