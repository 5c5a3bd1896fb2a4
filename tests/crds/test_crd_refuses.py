"""What is wrong is refused at `kubectl apply`, by the API server itself, with a sentence that names field and fix."""

import pytest
from crd_server import Server
from specs import BAD, GOOD, case_id, changed

from batchyard.model.kind import COMPUTE_ENVIRONMENT, JOB, KINDS, Kind

pytestmark = pytest.mark.cluster


@pytest.mark.parametrize(("kind", "path", "value", "words"), BAD, ids=map(case_id, BAD))
def test_a_bad_spec_is_refused_with_field_and_fix(
    server: Server, kind: Kind, path: str, value: object, words: str
) -> None:
    message = server.refusal(server.create, kind, changed(GOOD[kind], path, value))
    assert words in message
    assert "spec" in message


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@pytest.mark.parametrize("name", ["n" * 51, "has.dots"])
def test_a_name_that_no_pod_could_carry_is_refused(server: Server, kind: Kind, name: str) -> None:
    message = server.refusal(server.create, kind, GOOD[kind], name)
    assert "metadata.name is a DNS label of at most 50 characters; shorten it" in message


def test_a_name_of_50_characters_is_accepted(server: Server) -> None:
    assert server.create(JOB, GOOD[JOB], "n" * 50)["metadata"]["name"] == "n" * 50


def test_a_managed_environment_becomes_unmanaged_only_with_a_selector(server: Server) -> None:
    message = server.refusal(server.create, COMPUTE_ENVIRONMENT, {"type": "Unmanaged"})
    assert "spec.nodeSelector is empty; an Unmanaged environment needs the labels" in message
