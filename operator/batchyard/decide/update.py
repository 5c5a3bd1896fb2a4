"""Infrastructure updates: nodes of an older configuration take no more jobs, and those on them have a grace to end."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from batchyard.decide.condition import Condition
from batchyard.model.labels import CONFIGURATION
from batchyard.model.machine import Machine
from batchyard.world.configuration import fingerprint
from batchyard.world.parse import rfc3339, seconds
from batchyard.world.store import Store
from batchyard.world.views import Environment

OUTDATED = "is of an older configuration of its environment (spec.updatePolicy)"  # words that follow a node's name


def is_outdated(store: Store, environment: Environment, machine: Machine) -> bool:
    """Say whether a machine is made from something else than its environment now says; one that does not tell is not.

    A shape that the environment no longer has counts as another one.
    """
    node = store.nodes.get(machine.name)
    its = machine.configuration or (node.labels.get(CONFIGURATION, "") if node is not None else "")
    known = environment.configurations
    return bool(known and its) and known.get(machine.instance_type) != its


def replaced_at(store: Store, node: str, now: float) -> float | None:
    """Return when the jobs on a node are to be interrupted because it is of an older configuration, None if never."""
    machine = store.machines.get(node)
    environment = store.environments.get(machine.environment) if machine is not None else None
    if machine is None or environment is None or not is_outdated(store, environment, machine):
        return None
    return _ends_at(environment, now)


def _began_at(environment: Environment, now: float) -> float:
    """Return when the latest change was seen: it stands in the status, so that no restart gives jobs more time."""
    known = environment.status.get("update") or {}
    same = known.get("configuration") == fingerprint(environment.configurations)
    return seconds(known["startedAt"]) if same and known.get("startedAt") else now


def _ends_at(environment: Environment, now: float) -> float:
    began = _began_at(environment, now)
    return began if environment.terminates_on_update else began + environment.update_grace


def update_of(store: Store, environment: Environment, outdated: Collection[str], now: float) -> dict[str, Any] | None:
    """Return `status.update`, None when no node of an older configuration is left."""
    if not outdated:
        return None
    return {
        "configuration": fingerprint(environment.configurations),
        "startedAt": rfc3339(int(_began_at(environment, now))),
        "interruptsAt": rfc3339(int(_ends_at(environment, now))),
        "nodes": len(outdated),
        "pods": sum(1 for name in outdated for pod in store.live_on.get(name, {}).values() if pod.job),
    }


def words(update: Mapping[str, Any] | None) -> str:
    """Return `status.update` as a sentence."""
    if update is None:
        return "all nodes are of this configuration"
    nodes, pods = update["nodes"], update["pods"]
    left = f"{nodes} node{'s are' if nodes != 1 else ' is'} of an older configuration; new jobs go to new nodes"
    busy = f"{pods} pod{'s' if pods != 1 else ''} may run there until {update['interruptsAt']}"
    return f"{left}; {busy}" if pods else left


def replacing(outdated: Collection[str]) -> str:
    """Say of an environment that is full how many of its nodes are being replaced, nothing if none are."""
    nodes = "1 node" if len(outdated) == 1 else f"{len(outdated)} nodes"
    are = "is" if len(outdated) == 1 else "are"
    return f"; {nodes} of an older configuration {are} being replaced" if outdated else ""


def updating(environment: Environment, update: Mapping[str, Any] | None, now: float) -> list[dict[str, Any]]:
    """Return the condition Updating; nothing where nothing has ever been replaced."""
    known = environment.status.get("conditions") or ()
    if update is None and not any(condition.get("type") == "Updating" for condition in known):
        return []
    reason = "NodesReplaced" if update is None else "OlderNodesLeft"
    condition = Condition("Updating", update is not None, reason, words(update))
    return [condition.written(environment.generation, now, known)]
