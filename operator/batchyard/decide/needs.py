"""What a pod asks of a node: resources, labels, taints that it tolerates; equal needs share one verdict."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec

from batchyard.decide.placing import Expression, Term, checked, placing
from batchyard.model.machine import Taint
from batchyard.model.resources import Resources
from batchyard.world.raw import PodSpec
from batchyard.world.requests import requests

SPOT_FIRST = "SpotFirst"  # a capacity type of ours: any, but on-demand only where no spot can ever serve (escalate.py)
_INTEGER = re.compile(r"-?[0-9]{1,19}")


class Needs(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The scheduling class of a job; hashable. `scheduler`: only kube-scheduler can place it."""

    requests: Resources
    selector: tuple[tuple[str, str], ...] = ()
    tolerations: tuple[tuple[str, str, str, str], ...] = ()
    affinity: bytes = b""
    capacity_type: str = "Any"
    scheduler: bool = False


@dataclass(frozen=True, slots=True)
class Taste:
    """Which nodes a job must not have again, and which it would rather not."""

    avoid: frozenset[str] = frozenset()
    tried: frozenset[str] = frozenset()


NO_TASTE = Taste()


def needs_of(template: Mapping[str, Any], capacity_type: str) -> Needs:
    """Return the needs of a pod template; ValueError names the field that is not what it must be."""
    spec = template.get("spec") or {}
    pod, where = checked(spec, PodSpec), placing(spec)
    affinity = where.affinity.node_affinity if where.affinity else None
    try:
        asked = requests(pod)
    except ValueError as error:
        raise ValueError(f"resources: {error}") from None
    return _shared(
        Needs(
            requests=asked,
            selector=tuple(sorted((where.node_selector or {}).items())),
            tolerations=tuple(
                (t.key or "", t.operator or "Equal", t.value or "", t.effect or "") for t in where.tolerations or ()
            ),
            affinity=msgspec.json.encode(affinity.required.node_selector_terms or [])
            if affinity and affinity.required
            else b"",
            capacity_type=capacity_type,
            scheduler=where.scheduler,
        )
    )


@lru_cache(maxsize=4096)
def _shared(needs: Needs) -> Needs:
    """Return the one object that stands for all needs equal to these."""
    return needs


def tolerates(needs: Needs, taints: Sequence[Taint]) -> Taint | None:
    """Return the first taint that keeps the pod off, None if all are tolerated or only preferences."""
    for taint in taints:
        if taint.effect != "PreferNoSchedule" and not any(_tolerated(taint, t) for t in needs.tolerations):
            return taint
    return None


def _tolerated(taint: Taint, toleration: tuple[str, str, str, str]) -> bool:
    key, operator, value, effect = toleration
    if effect and effect != taint.effect:
        return False
    if key and key != taint.key:
        return False
    return operator == "Exists" or value == taint.value


def selects(needs: Needs, labels: Mapping[str, str]) -> bool:
    """Say whether a node with these labels meets nodeSelector and required node affinity."""
    if any(labels.get(name) != value for name, value in needs.selector):
        return False
    if not needs.affinity:
        return True
    return any(_term(term, labels) for term in _terms(needs.affinity))


@lru_cache(maxsize=1024)
def _terms(affinity: bytes) -> list[Term]:
    return msgspec.json.decode(affinity, type=list[Term])


def _term(term: Term, labels: Mapping[str, str]) -> bool:
    if term.match_fields:
        return False
    return bool(term.match_expressions) and all(_expression(e, labels) for e in term.match_expressions or ())


def _expression(expression: Expression, labels: Mapping[str, str]) -> bool:
    value, wanted = labels.get(expression.key), expression.values or []
    match expression.operator:
        case "In":
            return value in wanted
        case "NotIn":
            return value not in wanted
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case "Gt":
            return _above(value, next(iter(wanted), None))
        case "Lt":
            return _above(next(iter(wanted), None), value)
    return False


def _above(high: str | None, low: str | None) -> bool:
    """Compare as kube-scheduler does: what is no integer is neither above nor below."""
    return all(text is not None and _INTEGER.fullmatch(text) for text in (high, low)) and int(high or 0) > int(low or 0)


def matches_labels(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Say whether labels meet a LabelSelector (matchLabels and matchExpressions)."""
    if any(labels.get(name) != value for name, value in (selector.get("matchLabels") or {}).items()):
        return False
    expressions = msgspec.convert(selector.get("matchExpressions") or [], list[Expression])
    return all(_expression(e, labels) for e in expressions)
