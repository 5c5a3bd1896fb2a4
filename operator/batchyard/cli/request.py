"""What `submit` asks for, as a Job: made from flags, or read from a file and changed by flags."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random, SystemRandom
from typing import Any, TextIO

import yaml

from batchyard.cli.cluster import Body
from batchyard.cli.errors import Failure
from batchyard.model.labels import GROUP, VERSION

QUEUE = "default"
_WHENS = {"succeeded": "Succeeded", "failed": "Failed", "finished": "Finished"}
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"  # as Kubernetes generates names: no words come out
_SUFFIX, _LONGEST = 5, 50


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the flags say about a job; None leaves the file's or the server's own."""

    queue: str | None = None
    parameters: tuple[str, ...] = ()
    array: int | None = None
    most: int | None = None
    after: tuple[str, ...] = ()
    share: str | None = None
    priority: int | None = None

    def onto(self, job: Body) -> Body:
        """Return the job with these wishes in its spec."""
        spec = dict(job.get("spec") or {})
        given = {"queue": self.queue, "share": self.share, "priority": self.priority}
        spec.update({field: value for field, value in given.items() if value is not None})
        if self.parameters:
            spec["parameters"] = {**(spec.get("parameters") or {}), **parameters(self.parameters)}
        if self.array is not None or self.most is not None:
            asked = {"size": self.array, "maxConcurrent": self.most}
            spec["array"] = {**(spec.get("array") or {}), **{key: n for key, n in asked.items() if n is not None}}
        if self.after:
            spec["dependsOn"] = [*(spec.get("dependsOn") or ()), *map(dependency, self.after)]
        return {**job, "spec": spec}


def parameters(words: tuple[str, ...]) -> dict[str, str]:
    """Return name=value pairs; the definition's type decides what a value is."""
    pairs = [word.partition("=") for word in words]
    wrong = next((name for name, equals, _ in pairs if not equals or not name), None)
    if wrong is not None:
        raise Failure(f"-p: {wrong!r} is not name=value; write for example -p scene=a.blend")
    return {name: value for name, _, value in pairs}


def dependency(word: str) -> dict[str, str]:
    """Return an entry of dependsOn from JOB, JOB:Failed, JOB:Finished or JOB:OneToOne."""
    job, colon, when = word.partition(":")
    if not colon:
        return {"job": job}
    if when.lower() == "onetoone":
        return {"job": job, "array": "OneToOne"}
    if when.lower() not in _WHENS:
        raise Failure(f"--after: {when!r} in {word!r} is not Succeeded, Failed, Finished or OneToOne")
    return {"job": job, "when": _WHENS[when.lower()]}


def from_definition(definition: str, name: str | None, random: Random | None = None) -> Body:
    """Return a Job of a definition, written NAME or NAME:REVISION."""
    named, colon, revision = definition.partition(":")
    if colon and not revision.isdigit():
        raise Failure(f"DEFINITION: {revision!r} is not a revision; write for example {named}:3")
    reference: dict[str, Any] = {"name": named, **({"revision": int(revision)} if colon else {})}
    metadata = {"name": name or generated(named, random)}
    return {**_head(), "metadata": metadata, "spec": {"queue": QUEUE, "definition": reference}}


def generated(stem: str, random: Random | None = None) -> str:
    """Return a name nobody has: the stem, shortened so that pod names stay DNS labels, and five letters."""
    letters = (random or SystemRandom()).choices(_LETTERS, k=_SUFFIX)
    return f"{stem[: _LONGEST - _SUFFIX - 1].rstrip('-')}-{''.join(letters)}"


def _head() -> dict[str, str]:
    return {"apiVersion": f"{GROUP}/{VERSION}", "kind": "Job"}


def from_file(name: str, stdin: TextIO) -> list[Body]:
    """Return the Jobs of a YAML or JSON file, - for stdin; other kinds are refused, not skipped."""
    try:
        whole = stdin.read() if name == "-" else Path(name).read_text()
        documents = list(_documents(yaml.safe_load_all(whole)))
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"-f: cannot read {name}: {getattr(error, 'strerror', None) or error}") from error
    except yaml.YAMLError as error:
        raise Failure(f"-f: {name} is not YAML: {' '.join(str(error).split())}") from error
    if not documents:
        raise Failure(f"-f: there is no Job in {name}")
    for number, document in enumerate(documents, 1):
        _check(document, number, name)
    return documents


def _documents(found: Iterator[Any]) -> Iterator[Any]:
    for document in found:
        if isinstance(document, Mapping) and document.get("kind") == "List":
            yield from document.get("items") or ()
        elif document is not None:
            yield document


def _check(document: Any, number: int, file: str) -> None:
    if not isinstance(document, dict) or not isinstance(document.get("metadata"), dict):
        raise Failure(f"-f: object {number} of {file} is not a Kubernetes object with kind and metadata")
    kind, version = document.get("kind"), document.get("apiVersion")
    if (version, kind) != (f"{GROUP}/{VERSION}", "Job"):
        raise Failure(
            f"-f: object {number} of {file} is a {kind} of {version}, and submit takes Jobs of {GROUP}/{VERSION} only; "
            f"for others use kubectl apply -f {file}"
        )
