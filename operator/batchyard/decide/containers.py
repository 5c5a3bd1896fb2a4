"""The containers of one pod: rules on who matters and who waits for whom become the order that a kubelet keeps.

Main containers start together, in the order of the list. First ones (init containers) run to their end before. Those
Beside (native sidecars) start before and end with the main ones. Table and reasons: docs/containers.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from graphlib import CycleError, TopologicalSorter
from typing import Any

from batchyard.model.labels import ESSENTIAL
from batchyard.world.specs import ContainerRule

Container = Mapping[str, Any]
Template = Mapping[str, Any]

_ONLY_BESIDE = ("livenessProbe", "readinessProbe", "startupProbe", "lifecycle", "restartPolicy")
# Runs "$@" as a child that gets our SIGTERM, notes its exit code where kubectl shows it, and exits with 0. A signal may
# come before `child` is known: so the trap stands first, and what it could not pass on is passed on after.
_WRAPPER = (
    "log=$0; trap 'told=1; kill -TERM $child 2>/dev/null' TERM INT; "
    '"$@" & child=$!; if [ -n "$told" ]; then kill -TERM $child; fi; wait $child; code=$?; '
    "while kill -0 $child 2>/dev/null; do wait $child; code=$?; done; "
    'if [ "$code" != 0 ]; then echo "exited with code $code" >"$log"; fi; exit 0'
)


class ContainersError(Exception):
    """The rules on containers cannot be kept; the message names the container and the fix."""


class Role(Enum):
    """When a container runs."""

    Main = "together with the essential ones"
    First = "to its end before the main ones"
    Beside = "from before the main ones until their end"


def over(own: Iterable[ContainerRule], given: Sequence[ContainerRule]) -> tuple[ContainerRule, ...]:
    """Return a definition's rules with those of a job in the place of the ones of the same name."""
    replaced = {rule.name for rule in given}
    return (*(rule for rule in own if rule.name not in replaced), *given)


def arrange(template: Template, rules: Sequence[ContainerRule]) -> Template:
    """Return the template with its containers in the order that the rules ask for; raise ContainersError.

    Without rules the template stays as it is: the attempt ends when all of its containers have, as any pod.
    """
    containers = {container["name"]: container for container in (template.get("spec") or {}).get("containers") or ()}
    if not rules or not containers:
        return _unmarked(template)
    cast = _Cast(_complete(containers, rules))
    roles = cast.roles()
    built = {name: _built(containers[name], role, cast.passes(name)) for name, role in roles.items()}
    before = [built[name] for name, role in roles.items() if role is not Role.Main]
    spec = {**template["spec"], "containers": [built[name] for name, role in roles.items() if role is Role.Main]}
    if before:
        spec["initContainers"] = [*(spec.get("initContainers") or ()), *before]
    meta = template.get("metadata") or {}
    essential = ",".join(name for name in roles if cast.rules[name].essential)
    return {
        **template,
        "metadata": {**meta, "annotations": {**(meta.get("annotations") or {}), ESSENTIAL: essential}},
        "spec": spec,
    }


def _unmarked(template: Template) -> Template:
    """Which containers are essential is said by rules, never by an annotation that somebody has written."""
    meta = template.get("metadata") or {}
    given = meta.get("annotations") or {}
    if ESSENTIAL not in given:
        return template
    left = {name: text for name, text in given.items() if name != ESSENTIAL}
    return {**template, "metadata": {**meta, "annotations": left}}


def _complete(containers: Iterable[str], rules: Sequence[ContainerRule]) -> dict[str, ContainerRule]:
    """Return one rule for each container: one that has none is essential and waits for nothing."""
    known = list(containers)
    named = [rule.name for rule in rules]
    for name in [*named, *(d.name for rule in rules for d in rule.depends_on)]:
        if name not in known:
            raise ContainersError(
                f"spec.containers names {name!r}, and the template has no such container; it has: {', '.join(known)}"
            )
    twice = next((name for name in named if named.count(name) > 1), None)
    if twice:
        raise ContainersError(f"spec.containers names {twice!r} twice; merge the two entries")
    given = {rule.name: rule for rule in rules}
    return {name: given.get(name) or ContainerRule(name=name) for name in known}


@dataclass(frozen=True, slots=True)
class _Cast:
    """All containers of a pod, each with its rule."""

    rules: Mapping[str, ContainerRule]

    def roles(self) -> dict[str, Role]:
        """Return when each container runs, in an order in which each comes after those it waits for."""
        if not any(rule.essential for rule in self.rules.values()):
            raise ContainersError(
                "spec.containers leaves no container essential; take essential: false from the one that does the work"
            )
        needed, roles = self._needed(), dict[str, Role]()
        for name in self._ordered():
            roles[name] = self._role(name, name in needed, roles)
        return roles

    def passes(self, name: str) -> bool:
        """Say whether a container may fail and the next one starts all the same."""
        return self._awaited(name) == {"Complete"}

    def _awaited(self, name: str) -> set[str]:
        return {d.condition for rule in self.rules.values() for d in rule.depends_on if d.name == name}

    def _ordered(self) -> list[str]:
        sorter = TopologicalSorter({name: [d.name for d in rule.depends_on] for name, rule in self.rules.items()})
        place = {name: index for index, name in enumerate(self.rules)}
        try:
            sorter.prepare()
        except CycleError as error:
            circle = " -> ".join(reversed(error.args[1]))
            raise ContainersError(
                f"spec.containers wait for one another in a circle: {circle}; take one dependsOn out"
            ) from None
        found: list[str] = []
        ready = set(sorter.get_ready())
        while ready:
            found.append(min(ready, key=place.__getitem__))
            ready.remove(found[-1])
            sorter.done(found[-1])
            ready.update(sorter.get_ready())
        return found

    def _needed(self) -> set[str]:
        """Return the containers without which some essential one cannot start, and the essential ones."""
        needed: set[str] = set()
        todo = [name for name, rule in self.rules.items() if rule.essential]
        while todo:
            name = todo.pop()
            if name not in needed:
                needed.add(name)
                todo.extend(d.name for d in self.rules[name].depends_on)
        return needed

    def _role(self, name: str, needed: bool, roles: Mapping[str, Role]) -> Role:
        awaited = self._awaited(name)
        ends = sorted(awaited - {"Start"})
        if ends and self.rules[name].essential:
            raise ContainersError(
                f"a container waits for {ends[0]} of {name!r}, which is essential: its end is the end of the attempt; "
                f"give {name!r} essential: false, or wait for Start"
            )
        late = next((d.name for d in self.rules[name].depends_on if roles[d.name] is Role.Main), None)
        if ends:
            self._check_first(name, needed, awaited, late)
            return Role.First
        service = needed and "Start" in awaited and not self.rules[name].essential
        return Role.Beside if service and late is None else Role.Main

    def _check_first(self, name: str, needed: bool, awaited: set[str], late: str | None) -> None:
        if "Start" in awaited:
            raise ContainersError(
                f"one container waits for Start of {name!r} and another for its end; a container runs either beside "
                "the others or before them: use one condition"
            )
        if late is not None:
            raise ContainersError(
                f"{name!r} runs to its end before the others start, and waits for {late!r}, which starts with them; "
                f"give {late!r} essential: false and let an essential container wait for its Start, or take "
                "the dependsOn out"
            )
        if not needed:
            raise ContainersError(
                f"only containers that are not essential wait for the end of {name!r}, and it would hold up the "
                "essential ones; let one of these wait for it, or take the dependsOn out"
            )
        self._check_success(name)

    def _check_success(self, name: str) -> None:
        """A failure must end the attempt or let everybody pass: a kubelet knows nothing between."""
        needed = self._needed()
        waits = [(rule.name, d.condition) for rule in self.rules.values() for d in rule.depends_on if d.name == name]
        strict = [who for who, condition in waits if condition == "Success"]
        if strict and not needed.intersection(strict):
            raise ContainersError(
                f"{strict[0]!r} waits for Success of {name!r}, and others go on though it fails; "
                "use one and the same condition"
            )


def _built(container: Container, role: Role, passes: bool) -> Container:
    if role is Role.Beside:
        return {**container, "restartPolicy": "Always"}
    if role is Role.Main:
        return container
    misplaced = next((field for field in _ONLY_BESIDE if container.get(field)), None)
    if misplaced:
        raise ContainersError(
            f"{container['name']!r} runs to its end before the others start, and such a container has no {misplaced}; "
            "take it out of the template"
        )
    return _let_pass(container) if passes else container


def _let_pass(container: Container) -> Container:
    """A kubelet gives a pod up when an init container fails; so this one must not, whatever its program does."""
    if not container.get("command"):
        raise ContainersError(
            f"a container waits for Complete of {container['name']!r}, which has no command; write into the template "
            "what its image runs (ENTRYPOINT and CMD), or wait for Success"
        )
    log = container.get("terminationMessagePath") or "/dev/termination-log"
    program = [*container["command"], *(container.get("args") or ())]
    return {**container, "command": ["/bin/sh", "-c", _WRAPPER, log], "args": program}
