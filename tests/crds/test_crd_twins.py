"""The CEL rule and its Python twin agree, on many small objects of which some are right and some are wrong."""

import random

import pytest
from crd_features import POD
from crd_server import Server
from kubernetes import client
from pydantic import ValidationError

from batchyard.model.kind import JOB

pytestmark = pytest.mark.cluster

SEEDS = range(150)
NAMES = "abcd"


def accepted_by_server(server: Server, spec: dict) -> bool:
    try:
        server.create(JOB, spec)
    except client.ApiException as error:
        if error.status != 422:
            raise
        return False
    return True


def accepted_by_model(spec: dict) -> bool:
    try:
        JOB.spec.model_validate(spec)
    except ValidationError:
        return False
    return True


def group(chance: random.Random, nodes: int) -> dict:
    first, last = chance.randrange(nodes), chance.randrange(nodes + chance.choice([0, 0, 1]))
    ordered = f"{min(first, last)}:{max(first, last)}"
    return {"nodes": chance.choice([f"{first}", f"{first}:", f":{last}", ordered, ordered, f"{last}:{first}"])}


def gang(chance: random.Random) -> dict:
    nodes = chance.randint(1, 5)
    groups = [group(chance, nodes) for _ in range(chance.randint(1, 4))]
    return {"multiNode": {"nodes": nodes, "mainNode": chance.randint(0, nodes), "groups": groups}}


def rule(chance: random.Random, name: str) -> dict:
    others = chance.sample(NAMES, chance.choice([0, 0, 1, 1, 2]))
    conditions = ["Start", "Start", "Success", "Complete"]
    waits = [{"name": other, "condition": chance.choice(conditions)} for other in others]
    return {"name": name, "essential": chance.random() < 0.4, "dependsOn": waits}


def containers(chance: random.Random) -> dict:
    pod = {"spec": {"containers": [{"name": name, "image": "busybox"} for name in NAMES[: chance.choice([3, 4, 4])]]}}
    named = chance.sample(NAMES, chance.randint(1, 4))
    return {"template": pod, "containers": [rule(chance, name) for name in named]}


@pytest.mark.parametrize("make", [gang, containers])
def test_the_api_server_and_the_model_agree(server: Server, make: object) -> None:
    assert callable(make)
    specs = [{"queue": "default", "template": POD, **make(random.Random(seed))} for seed in SEEDS]
    verdicts = [(accepted_by_server(server, spec), accepted_by_model(spec)) for spec in specs]
    assert [spec for spec, (theirs, ours) in zip(specs, verdicts, strict=True) if theirs != ours] == []
    assert 15 < sum(theirs for theirs, _ in verdicts) < len(specs) - 15
