"""The schema of a kind whose status is written all the time, so that such a write costs the API server little.

The API server evaluates all rules of an object when its status is written, too. It pays for each evaluation, and for
each look at a field, for which it copies the schemas of all fields beside it (docs/adr/0027-lean-schemas.md).
"""

import json
import re
from collections.abc import Collection, Sequence
from typing import Any

from batchyard.model.api import RULES

Schema = dict[str, Any]
Entry = dict[str, Any]
"""An entry of `x-kubernetes-validations`."""

# A write to status/ leaves spec as it is, and every other write leaves status as it is: where status is another, spec
# has been judged before. Most writes change the number of fields in status, which is seen without a look at any.
_WRITTEN = "self.status != oldSelf.status"
_ALSO = "; also: "
_GUARD = re.compile(r"!has\([\w.()]+\) \|\| ")


def lean(schema: Schema, fixed: Collection[str]) -> Schema:
    """Give the schema of an object that says the same for less.

    What cannot change, nobody can own a part of, and status is the operator's: for these `managedFields` have one line
    instead of one for each field inside.
    """
    spec, status = schema["properties"]["spec"], schema["properties"]["status"]
    fields = {name: _whole(inner) if name in fixed else inner for name, inner in spec["properties"].items()}
    inside = {**spec, "properties": {name: _cheaper(inner) for name, inner in fields.items()}}
    properties = {**schema["properties"], "spec": _without_rules(inside), "status": _whole(status)}
    return {**schema, "properties": properties, RULES: _of_object(schema[RULES], spec[RULES], fixed)}


def _whole(schema: Schema) -> Schema:
    return {**schema, "x-kubernetes-map-type": "atomic"} if schema["type"] == "object" else schema


def _without_rules(schema: Schema) -> Schema:
    return {name: inner for name, inner in schema.items() if name != RULES}


def _of_object(of_all: Sequence[Entry], of_spec: Sequence[Entry], fixed: Collection[str]) -> list[Entry]:
    """Give a rule on the name and one on spec for what is new, and one for what has changed.

    What cannot change is judged once, so that a rule of a later version does not stand in the way of older objects.
    """
    names = [rule for rule in of_all if rule.get("fieldPath") == ".metadata.name"]
    rules = [*(rule for rule in of_all if rule not in names), *(_from_above(rule) for rule in of_spec)]
    states = [rule for rule in rules if "oldSelf" not in rule["rule"]]
    changes = [rule for rule in rules if rule not in states or not _looks_only_at(fixed, rule)]
    return [
        {**_unless("oldSelf.hasValue()", joined(names)), "optionalOldSelf": True},
        {**_unless("oldSelf.hasValue()", joined(states)), "fieldPath": ".spec", "optionalOldSelf": True},
        {**_unless(_WRITTEN, joined(changes)), "fieldPath": ".spec"},
    ]


def _looks_only_at(fields: Collection[str], rule: Entry) -> bool:
    return set(re.findall(r"\bself\.spec\)?\.(\w+)", rule["rule"])) <= set(fields)


def _from_above(rule: Entry) -> Entry:
    """Give a rule on spec as one on the whole object."""
    return {**rule, "rule": re.sub(r"\b(self|oldSelf)\b", r"\1.spec", rule["rule"])}


def _unless(cel: str, rule: Entry) -> Entry:
    return {**rule, "rule": f"{cel} || ({rule['rule']})"}


def joined(rules: Sequence[Entry]) -> Entry:
    """Give one rule that holds where all of them hold, and says the messages of those that do not.

    Their CEL must not fail, whatever the others say: without a message the API server would show the CEL.
    """
    if len(rules) == 1:
        return rules[0]
    broken = " + ".join(f"(({rule['rule']}) ? '' : {json.dumps(rule['message'] + _ALSO)})" for rule in rules)
    return {"rule": _all(rules), "messageExpression": f"({broken} + '.').replace('{_ALSO}.', '')"}


def _all(rules: Sequence[Entry]) -> str:
    """Say what all of them say, and ask but once for a field without which several of them are satisfied."""
    guarded: dict[str, list[str]] = {}
    for rule in rules:  # a choice a ? b : c would take the guard into a
        guard = found.group() if (found := _GUARD.match(rule["rule"])) and "?" not in rule["rule"] else ""
        guarded.setdefault(guard, []).append(f"({rule['rule'].removeprefix(guard)})")
    return " && ".join(f"({guard}{' && '.join(cels)})" for guard, cels in guarded.items())


def _cheaper(schema: Schema) -> Schema:
    """Move rules on one field into it, where there is no object to look into; join those that stay, level by level.

    Those of a list are not joined: each of them may come near what one rule may cost.
    """
    made = {name: _inside(name, inner) for name, inner in schema.items() if name != RULES}
    stay = []
    for rule in schema.get(RULES, []):
        if (name := _only_field(rule)) is None:
            stay.append(rule)
        else:
            made["properties"][name] = _ruled(made["properties"][name], _of_field(rule, name))
    return {**made, RULES: [joined(stay)] if "properties" in made else stay} if stay else made


def _inside(keyword: str, schema: Any) -> Any:
    if keyword == "properties":
        return {name: _cheaper(inner) for name, inner in schema.items()}
    return _cheaper(schema) if keyword in ("items", "additionalProperties") else schema


def _only_field(rule: Entry) -> str | None:
    """Give the field that a rule is about, if it looks at no other and says nothing where the field is absent."""
    name = rule.get("fieldPath", "").removeprefix(".")
    cel = rule["rule"].removeprefix(_present(name))
    seen = re.findall(r"\bself\b\.?(\w*)", cel)
    return name if name and set(seen) == {name} and "has(" not in cel else None


def _present(name: str) -> str:
    return f"!has(self.{name}) || "


def _of_field(rule: Entry, name: str) -> Entry:
    cel = rule["rule"].removeprefix(_present(name)).replace(f"self.{name}", "self")
    return {"rule": cel, "message": rule["message"]}


def _ruled(schema: Schema, rule: Entry) -> Schema:
    return {**schema, RULES: [*schema.get(RULES, []), rule]}
