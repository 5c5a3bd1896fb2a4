"""Definitions on the real API server: typed parameters, overrides, and revisions that a job keeps."""

from __future__ import annotations

from cluster.lab import Lab
from cluster.rest import until
from cluster.specs_of_jobs import played


def test_parameters_are_put_into_the_command(story: Lab) -> None:
    status = story.failed("typed", 60)
    assert "first 3 true" in status["attempts"][0]["message"]
    assert status["definitionRevision"] == 1


def test_overrides_are_merged_by_container(story: Lab) -> None:
    status = story.failed("overridden", 60)
    assert "first 4 false more" in status["attempts"][0]["message"]
    container = story.api.get("Pod", "overridden-1", story.namespace)["spec"]["containers"][0]
    assert container["resources"]["requests"] == {"cpu": "50m", "memory": "32Mi"}


def test_a_definition_is_checked_by_the_api_server_once(story: Lab) -> None:
    definition = until(lambda: _checked(story, "typed"))
    (valid,) = [c for c in definition["status"]["conditions"] if c["type"] == "Valid"]
    assert (valid["status"], valid["observedGeneration"]) == ("True", 1)
    revisions = [
        r for r in story.api.list("ControllerRevision", story.namespace) if r["metadata"]["name"][:5] == "typed"
    ]
    assert [revision["revision"] for revision in revisions] == [1]
    assert revisions[0]["data"]["template"] == definition["spec"]["template"]


def test_a_waiting_job_keeps_the_revision_that_it_was_submitted_with(story: Lab) -> None:
    story.wait("revised-old", lambda status: status.get("definitionRevision") == 1)
    story.api.patch("JobDefinition", "revised", {"spec": {"template": played("two")}}, story.namespace)
    story.job("revised-new", "revised", definition={"name": "revised"})
    story.job("revised-asked", "revised", definition={"name": "revised", "revision": 1})
    for name, revision, word in (("revised-old", 1, "one"), ("revised-new", 2, "two"), ("revised-asked", 1, "one")):
        assert story.succeeded(name)["definitionRevision"] == revision
        pod = story.api.get("Pod", f"{name}-1", story.namespace)
        assert pod["spec"]["containers"][0]["command"] == [word], name


def _checked(lab: Lab, name: str) -> dict:
    definition = lab.api.get("JobDefinition", name, lab.namespace)
    return definition if (definition.get("status") or {}).get("conditions") else {}
