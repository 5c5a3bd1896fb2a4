"""Typed parameters: checked against their declaration, put where `Ref::name` stands."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from batchyard.world.specs import Parameter

_REF = re.compile(r"Ref::([A-Za-z_][A-Za-z0-9_.-]*)")
_TYPES: dict[str, tuple[type, ...]] = {
    "String": (str,),
    "Integer": (int,),
    "Number": (int, float),
    "Boolean": (bool,),
}


LARGEST = 2**20  # bytes that parameters may add to a template: an object of the API server has room for 1.5 MiB


class ParameterError(Exception):
    """A parameter is unknown, missing or of the wrong type; the message names it and the fix."""


def bind(declared_parameters: Mapping[str, Parameter], given: Mapping[str, Any], *, declared: bool) -> dict[str, str]:
    """Return each parameter's text; without a declaration (an inline template) every name is allowed."""
    if not declared:
        return {name: text(value) for name, value in given.items()}
    unknown = sorted(given.keys() - declared_parameters.keys())
    if unknown:
        known = ", ".join(sorted(declared_parameters)) or "none"
        raise ParameterError(f"spec.parameters.{unknown[0]} is not declared by the definition; it declares: {known}")
    bound = {}
    for name, parameter in declared_parameters.items():
        value = given.get(name, parameter.default)
        if value is None:
            if parameter.required:
                raise ParameterError(f"spec.parameters.{name} is required ({parameter.type}); give it a value")
            continue
        bound[name] = text(check(name, parameter, value))
    return bound


def check(name: str, parameter: Parameter, value: Any) -> Any:
    """Return the value in its declared type; text that reads as a number or a truth value is taken as one."""
    typed = _typed(parameter.type, value)
    if typed is None:
        raise ParameterError(
            f"spec.parameters.{name}: {value!r} is not of type {parameter.type}; "
            f"write for example {_example(parameter.type)}"
        )
    if parameter.enum is not None and typed not in [_typed(parameter.type, choice) for choice in parameter.enum]:
        choices = ", ".join(text(choice) for choice in parameter.enum)
        raise ParameterError(f"spec.parameters.{name}: {value!r} is not one of: {choices}")
    return typed


def _typed(kind: str, value: Any) -> Any:
    if isinstance(value, _TYPES[kind]) and (kind == "Boolean" or not isinstance(value, bool)):
        return value
    if kind == "String" and isinstance(value, (int, float, bool)):
        return text(value)
    if not isinstance(value, str):
        return None
    try:
        match kind:
            case "Integer":
                return int(value)
            case "Number":
                return float(value)
            case "Boolean":
                return {"true": True, "false": False}[value]
    except (ValueError, KeyError):
        pass
    return None


def _example(kind: str) -> str:
    return {"Integer": "3", "Number": "0.5", "Boolean": "true"}.get(kind, "text")


def text(value: Any) -> str:
    """Return a parameter's value as it stands in a command."""
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


def substitute(template: Mapping[str, Any], bound: Mapping[str, str]) -> Mapping[str, Any]:
    """Return the pod template with every `Ref::name` in command, args and env values replaced.

    A name that has no value stays as it is written, as in AWS Batch.
    """
    if not bound and template.get("spec"):
        return template
    spec, words = dict(template.get("spec") or {}), Words(bound)
    for group in ("initContainers", "containers"):
        if spec.get(group):
            spec[group] = [_fill(container, words) for container in spec[group]]
    return {**template, "spec": spec}


@dataclass(slots=True)
class Words:
    """The parameters' texts, of which a template may take so many bytes in all; ParameterError beyond that."""

    bound: Mapping[str, str]
    left: int = LARGEST

    def take(self, name: str) -> str:
        """Return a parameter's text."""
        self.left -= len(self.bound[name].encode())
        if self.left < 0:
            raise ParameterError(
                f"spec.parameters.{name}: put wherever the template says Ref::{name}, the parameters' values come to "
                "more than 1 MiB; pass a file or a ConfigMap instead"
            )
        return self.bound[name]


def _fill(container: Mapping[str, Any], words: Words) -> dict[str, Any]:
    filled = dict(container)
    for field in ("command", "args"):
        if filled.get(field):
            filled[field] = [_replace(text, words) for text in filled[field]]
    if filled.get("env"):
        filled["env"] = [
            {**entry, "value": _replace(entry["value"], words)} if isinstance(entry.get("value"), str) else entry
            for entry in filled["env"]
        ]
    return filled


def _replace(text: str, words: Words) -> str:
    if "Ref::" not in text:
        return text
    return _REF.sub(lambda match: _longest(match, words), text)


def _longest(match: re.Match[str], words: Words) -> str:
    """Take the longest name that has a value, so that `Ref::scene.png` finds `scene` where `scene.png` is none."""
    name = match.group(1)
    for end in range(len(name), 0, -1):
        if name[:end] in words.bound and name[end : end + 1] in ("", ".", "-"):
            return words.take(name[:end]) + name[end:]
    return match.group(0)


def undeclared(template: Mapping[str, Any], declared_names: Mapping[str, Any]) -> list[str]:
    """Return the names that a template refers to and that are not declared."""
    marks = dict.fromkeys(declared_names, "")
    left = substitute(template, marks)
    found: set[str] = set()
    for group in ("initContainers", "containers"):
        for container in left["spec"].get(group) or ():
            texts = [*(container.get("command") or ()), *(container.get("args") or ())]
            texts += [entry["value"] for entry in container.get("env") or () if isinstance(entry.get("value"), str)]
            found.update(name for text in texts for name in _REF.findall(text))
    return sorted(found)
