"""`batchyard advise`: what the pods of each definition ask for and use, better requests, and what is odd of images."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import click

from batchyard.cli import show
from batchyard.cli.cluster import Body, Cluster
from batchyard.cli.errors import Refusal
from batchyard.cli.flags import DEFINITION, connected, output
from batchyard.cli.known import Known, lasting
from batchyard.cli.usage import Name, highest, usage
from batchyard.cli.words import money
from batchyard.decide.advise import Suggestion, advise, request
from batchyard.decide.images import Image, advise_image, canonical, pulled
from batchyard.model.labels import ENVIRONMENT as OF_ENVIRONMENT
from batchyard.model.labels import INSTANCE_TYPE, JOB_UID
from batchyard.model.machine import Shape
from batchyard.model.resources import Resources, read, total
from batchyard.world.offers import read_offers, resolved
from batchyard.world.parse import environment
from batchyard.world.sightings import Use

EVERY = 10.0  # seconds between looks; what is measured changes no sooner


@dataclass(slots=True)
class Sight:
    """What was seen of the pods of one namespace."""

    pods: dict[Name, Body] = field(default_factory=dict)
    most: dict[Name, Resources] = field(default_factory=dict)
    source: str = ""
    prices: dict[str, tuple[Shape, str]] = field(default_factory=dict)  # node -> shape and capacity type
    images: dict[str, Image] = field(default_factory=dict)
    known: Known = field(default_factory=Known)


@click.command("advise")
@click.argument("definition", type=DEFINITION, required=False)
@click.option("--watch", "seconds", type=click.IntRange(0, 3600), default=0, help="Look for so many seconds.")
@output("json", "yaml")
@connected
def command(cluster: Cluster, definition: str | None, seconds: int, form: str | None) -> None:
    """Compare what pods ask for with what they use, by definition, and suggest better requests.

    Looks at the pods that run now, for the time of --watch, and counts the most that was seen of each: choose a time
    that shows the heaviest part of the work. Uses the metrics API where there is one, else the kubelets of five nodes
    (that needs the right to get nodes/proxy). What the operator has seen of earlier pods, and written in the
    definition's status, counts too. Of a definition three pods must be known.
    """
    jobs = list(cluster.all(cluster.path("Job")))
    owners = _owners(jobs)
    sight = _see(cluster, seconds)
    definitions = {body["metadata"]["name"]: body for body in _seen(cluster, "JobDefinition")}
    sight.known = Known(definitions, lasting(jobs))
    nodes = _seen(cluster, "/api/v1/nodes")
    sight.prices, sight.images = _prices(cluster, nodes), _images(cluster, sight, nodes)
    grouped: defaultdict[str, list[Name]] = defaultdict(list)
    for name, pod in sight.pods.items():
        grouped[owners.get(pod["metadata"]["labels"][JOB_UID], "(no definition)")].append(name)
    for told_of in sight.known.advised() - grouped.keys():
        grouped[told_of] = []
    if definition:
        if definition not in grouped:
            cluster.get("JobDefinition", definition)
        grouped = defaultdict(list, {definition: grouped[definition]})
    told = [_told(name, pods, sight) for name, pods in sorted(grouped.items())]
    if form:
        show.dump({"source": sight.source, "items": told}, form)
        return
    show.print_table(
        ("DEFINITION", "PODS", "ASKED", "USED", "SUGGESTED", "SAVES AN HOUR AND POD"), [_row(each) for each in told]
    )
    screen = show.console()
    for each in told:
        for line in each["advice"]:
            screen.print(show.prose(f"{each['definition']}: {line}", 0, 2))
    screen.print(f"\nSeen through {sight.source}.")


def _owners(jobs: Iterable[Body]) -> dict[str, str]:
    """Return the definition of each job that has one, by the job's uid."""
    return {job["metadata"]["uid"]: job["spec"]["definition"]["name"] for job in jobs if job["spec"].get("definition")}


def _see(cluster: Cluster, seconds: int) -> Sight:
    """Look once, then every ten seconds until the time is over."""
    sight, ends = Sight(), time.monotonic() + seconds
    path = f"/api/v1/namespaces/{cluster.namespace}/pods"
    while True:
        pods = list(cluster.all(path, labelSelector=JOB_UID, fieldSelector="status.phase=Running"))
        found, sight.source = usage(cluster, pods)
        sight.pods |= {(pod["metadata"]["namespace"], pod["metadata"]["name"]): pod for pod in pods}
        sight.most = highest(sight.most, {name: used for name, used in found.items() if name in sight.pods})
        if time.monotonic() >= ends:
            return sight
        time.sleep(min(EVERY, max(ends - time.monotonic(), 0.0)))


def _prices(cluster: Cluster, nodes: Iterable[Body]) -> dict[str, tuple[Shape, str]]:
    """Return shape and capacity type of each node whose environment has prices; none where nobody may look."""
    views = (environment(body) for body in _seen(cluster, "ComputeEnvironment"))
    environments = {view.name: resolved(view, read_offers(view.status)) if view.entries else view for view in views}
    found = {}
    for node in nodes:
        labels = node["metadata"].get("labels") or {}
        if (view := environments.get(labels.get(OF_ENVIRONMENT, ""))) is None:
            continue
        for each in view.shapes:
            if each.name == labels.get(INSTANCE_TYPE):
                found[node["metadata"]["name"]] = each, view.capacity_type
    return found


def _seen(cluster: Cluster, what: str) -> Iterable[Body]:
    try:
        return list(cluster.all(what if what.startswith("/") else cluster.path(what)))
    except Refusal as refused:
        if refused.code == 403:
            return []
        raise


def _images(cluster: Cluster, sight: Sight, nodes: Iterable[Body]) -> dict[str, Image]:
    """Return the images of the pods, with what the kubelets told of pulling them."""
    events = _seen(cluster, f"/api/v1/namespaces/{cluster.namespace}/events")
    pulls: defaultdict[str, list[float]] = defaultdict(list)
    sizes: dict[str, int] = {}
    for event in events:
        if event.get("reason") == "Pulled" and (one := pulled(event.get("message") or "")):
            pulls[one[0]].append(one[1])
            if one[2] is not None:
                sizes[canonical(one[0])] = one[2]
    for node in nodes:
        for image in (node.get("status") or {}).get("images") or ():
            for name in image.get("names") or ():
                sizes.setdefault(canonical(name), image.get("sizeBytes") or 0)
    names = {each["image"] for pod in sight.pods.values() for each in pod["spec"]["containers"]}
    return {name: Image(name, sizes.get(canonical(name)), tuple(pulls[name])) for name in names}


def _told(name: str, pods: list[Name], sight: Sight) -> dict[str, Any]:
    bodies, known = [sight.pods[pod] for pod in pods], sight.known
    uses = [_use(sight.pods[pod], sight.most[pod], sight.prices) for pod in pods if pod in sight.most]
    before = known.uses(name)
    found = advise([*uses, *before])
    own = sorted({each["image"] for pod in bodies for each in pod["spec"]["containers"]})
    seen = [replace(sight.images[image], lasts=known.lasts.get(name)) for image in own]
    told = known.images(name)
    words = [word for image in seen for word in advise_image(image) if word not in told]
    return {
        "definition": name,
        "pods": len(pods),
        **({"seenBefore": len(before)} if before else {}),
        **_amounts(found, known.record(name)),
        "advice": [*(found.words if found else ()), *words, *filter(None, [told])],
    }


def _amounts(found: Suggestion | None, record: Mapping[str, Any]) -> dict[str, Any]:
    if found is None:
        return {}
    told = {"asked": request(found.asked), "used": request(found.most), "suggested": request(found.better)}
    saved = None if found.saves is None else f"{found.saves.quantize(Decimal('0.000001')):f}"
    if saved is None and record.get("suggested") == told["suggested"]:
        saved = record.get("savesPerHour")  # of the nodes that the operator saw
    return {**told, **({"savesPerHour": saved} if saved else {})}


def _use(pod: Body, used: Resources, known: Mapping[str, tuple[Shape, str]]) -> Use:
    asked = total(read((each.get("resources") or {}).get("requests") or {}) for each in pod["spec"]["containers"])
    node, capacity_type = known.get(pod["spec"].get("nodeName", ""), (None, "OnDemand"))
    return Use(asked, used, node, capacity_type)


def _row(told: Mapping[str, Any]) -> list[str]:
    cells = [", ".join((told.get(part) or {}).values()) for part in ("asked", "used", "suggested")]
    cells[2] = "as asked" if cells[2] and cells[2] == cells[0] else cells[2] or "too few pods seen"
    saves, before = told.get("savesPerHour"), told.get("seenBefore")
    pods = f"{told['pods']} and {before} before" if before else str(told["pods"])
    return [told["definition"], pods, *cells, money(Decimal(saves)) if saves else ""]
