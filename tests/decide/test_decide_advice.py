"""What is written on a definition of its pods and images: each verdict once, with what to ask for and what it saves."""

from __future__ import annotations

from typing import Any

import pytest

from batchyard.decide.advice import advice, images_of
from batchyard.decide.images import canonical, remark_on_waits
from batchyard.decide.revise import verdict
from batchyard.model.advice import Advice
from batchyard.model.plan import Report
from batchyard.model.resources import Resources
from batchyard.world.sightings import Sighting, Stay, Use
from batchyard.world.views import Definition
from builders import C8, NOW, definition, newer, template, valid

MI = 2**20
ASKED = Resources(cpu=1000, memory=1024 * MI, pods=1)


def pinned(**fields: Any) -> Definition:
    """Return a definition of one vCPU and 1 GiB whose image has a tag."""
    made = template()
    made["spec"]["containers"][0]["image"] = fields.pop("image", "app:1")
    return definition(**{"template": made, "status": valid(), **fields})


def seen(*used: tuple[int, int], stays: int = 1, **stay: Any) -> Sighting:
    """Return pods that used (millicores, MiB), on nodes with a price, and ran for ten minutes."""
    uses = [Use(ASKED, Resources(cpu=cpu, memory=memory * MI), C8) for cpu, memory in used]
    fields = {"node": "n1", "waited": 1.0, "ran": 600.0, **stay}
    return Sighting(
        1, ended={str(n): use for n, use in enumerate(uses)}, stays={str(n): Stay(**fields) for n in range(stays)}
    )


def told(report: Report | None, type_: str = "RightSized") -> dict[str, Any]:
    assert report is not None
    (found,) = [c for c in report.status["conditions"] if c["type"] == type_]
    return dict(found)


def after(what: Definition, report: Report | None) -> Definition:
    """Return the definition once that is written."""
    assert report is not None
    return newer(what, status=dict(report.status))


LARGE = (
    "asks for 1 cpu and uses 100m at most; asks for 1024Mi memory and uses 50Mi at most (3 pods). Ask for cpu 150m, "
    "memory 64Mi: that saves 0.036125 an hour of a pod, 6.020833 for 1,000 pods of 600 s"
)
SMALL = (
    "uses up to 1020Mi of the 1024Mi memory asked for: it may be killed for want of it (3 pods). Ask for cpu 1, "
    "memory 1280Mi"
)


@pytest.mark.parametrize(
    ("used", "status", "reason", "words"),
    [
        ((100, 50), "False", "RequestsTooLarge", LARGE),
        ((900, 850), "True", "AsUsed", "uses cpu 900m, memory 850Mi at most (3 pods)"),
        ((900, 1020), "False", "RequestsTooSmall", SMALL),
    ],
)
def test_the_verdict_on_requests(used: tuple[int, int], status: str, reason: str, words: str) -> None:
    found = told(advice(pinned(), seen(*[used] * 3), {}, NOW))
    assert (found["status"], found["reason"], found["message"]) == (status, reason, words)
    assert (found["observedGeneration"], found["lastTransitionTime"]) == (1, "2027-01-15T08:00:00Z")


def test_the_status_has_it_in_numbers_that_the_schema_takes() -> None:
    report = advice(pinned(), seen(*[(100, 50)] * 3), {}, NOW)
    assert report is not None
    assert report.status["advice"] == {
        "revision": 1, "pods": 3, "asked": {"cpu": "1", "memory": "1024Mi"}, "used": {"cpu": "100m", "memory": "50Mi"},
        "suggested": {"cpu": "150m", "memory": "64Mi"}, "savesPerHour": "0.036125", "savesPerThousandPods": "6.020833",
    }  # fmt: skip
    assert Advice.model_validate(report.status["advice"]).pods == 3
    assert [c["type"] for c in report.status["conditions"]] == ["Valid", "RightSized"]


def test_one_that_starved_is_never_told_to_ask_for_less_memory() -> None:
    found = told(advice(pinned(), seen(*[(900, 50)] * 3, starved=1024 * MI), {}, NOW))
    assert found["reason"] == "RequestsTooSmall"
    assert found["message"].startswith("pods with 1024Mi were killed for want of memory; uses up to 1024Mi of the")
    assert "memory 1280Mi" in found["message"]


def test_a_verdict_is_written_once_and_again_when_it_turns() -> None:
    what = pinned()
    what = after(what, advice(what, seen(*[(100, 50)] * 3), {}, NOW))
    assert advice(what, seen(*[(100, 51)] * 40), {}, NOW + 60) is None, "the same request, of more pods"
    assert advice(what, seen(*[(200, 50)] * 4), {}, NOW + 60) is not None, "another request"
    turned = told(advice(what, seen(*[(900, 850)] * 4), {}, NOW + 60))
    assert (turned["status"], turned["lastTransitionTime"]) == ("True", "2027-01-15T08:01:00Z")


def test_a_record_that_somebody_has_spoilt_is_written_anew() -> None:
    what = pinned()
    what = after(what, advice(what, seen(*[(100, 50)] * 3), {}, NOW))
    spoilt = {**what.status["advice"], "suggested": {"cpu": "much", "memory": "64Mi"}}
    again = advice(newer(what, status={**what.status, "advice": spoilt}), seen(*[(100, 50)] * 3), {}, NOW)
    assert again is not None
    assert again.status["advice"]["suggested"]["cpu"] == "150m"


def test_a_condition_that_was_lost_is_written_again() -> None:
    what = pinned()
    what = after(what, advice(what, seen(*[(100, 50)] * 3), {}, NOW))
    kept = [c for c in what.status["conditions"] if c["type"] == "Valid"]
    assert told(advice(newer(what, status={**what.status, "conditions": kept}), seen(*[(100, 50)] * 3), {}, NOW))


def test_too_few_pods_are_counted_lest_a_restart_begin_anew() -> None:
    what = pinned()
    report = advice(what, seen((100, 50)), {}, NOW)
    assert report is not None
    assert (report.status["advice"]["pods"], report.status["advice"]["suggested"]) == (1, None)
    assert [c["type"] for c in report.status["conditions"]] == ["Valid"]
    assert advice(after(what, report), seen((100, 50)), {}, NOW) is None


def test_without_anything_to_say_nothing_is_written() -> None:
    assert advice(pinned(), Sighting(1), {}, NOW) is None


@pytest.mark.parametrize("status", [{}, valid(status="False", reason="InvalidTemplate"), valid(generation=7)])
def test_of_a_definition_that_is_not_valid_nothing_is_said(status: dict[str, Any]) -> None:
    assert advice(pinned(image="app", status=status), seen(*[(100, 50)] * 3), {}, NOW) is None


def test_the_verdict_on_images_goes_when_its_cause_has_gone() -> None:
    what = pinned(image="app")
    report = advice(what, Sighting(1), {}, NOW)
    found = told(report, "ImagesReady")
    assert (found["status"], found["reason"]) == ("False", "ImageUnpinned")
    assert "image app names no version" in found["message"]
    assert advice(after(what, report), Sighting(1), {}, NOW) is None
    mended = pinned(generation=2, status={"conditions": [*valid(2)["conditions"], found]})
    assert (told(advice(mended, Sighting(2), {}, NOW), "ImagesReady"))["status"] == "True"


def test_a_large_image_is_told_by_what_a_node_says_of_it() -> None:
    found = told(advice(pinned(), Sighting(1), {"docker.io/library/app:1": 3 * 2**30}, NOW), "ImagesReady")
    assert (found["reason"], "3.0 GiB" in found["message"]) == ("ImageLarge", True)


@pytest.mark.parametrize(
    ("waited", "ran", "pods", "slow"),
    [
        (63.0, 120.0, 3, True),
        (63.0, 120.0, 2, False),  # too few
        (8.0, 5.0, 3, False),  # seconds, as sandboxes take
        (63.0, 3600.0, 3, False),  # little of the time that pods run
    ],
)
def test_waits_for_images(waited: float, ran: float, pods: int, slow: bool) -> None:
    found = told(advice(pinned(image="app"), seen(stays=pods, waited=waited, ran=ran), {}, NOW), "ImagesReady")
    assert ("pods waited up to 60 s on their nodes" in found["message"]) is slow


def test_who_waits_for_volumes_too_is_not_told_that_it_was_the_image() -> None:
    stays = [Stay("n1", 63.0, 120.0)] * 3
    assert remark_on_waits(stays) is not None
    assert remark_on_waits(stays, claims=True) is None


@pytest.mark.parametrize(
    ("image", "whole"),
    [
        ("busybox", "docker.io/library/busybox:latest"), ("busybox:1", "docker.io/library/busybox:1"),
        ("team/app:1", "docker.io/team/app:1"), ("quay.io/team/app", "quay.io/team/app:latest"),
        ("localhost/app:2", "localhost/app:2"), ("registry:5000/app", "registry:5000/app:latest"),
        ("app:1@sha256:01", "docker.io/library/app@sha256:01"),
    ],
)  # fmt: skip
def test_the_whole_name_of_an_image(image: str, whole: str) -> None:
    assert canonical(image) == whole


def test_the_images_of_all_containers_each_once() -> None:
    made = template()
    made["spec"]["initContainers"] = [{"name": "fetch", "image": "git:2"}, {"name": "again", "image": "busybox"}]
    found = definition(template=made).blueprint
    assert found is not None
    assert images_of(found) == ["git:2", "busybox"]


def test_the_check_of_a_new_revision_leaves_advice_alone() -> None:
    what = pinned()
    what = after(what, advice(what, seen(*[(100, 50)] * 3), {}, NOW))
    conditions = verdict(newer(what, generation=2), "Accepted", "", NOW).status["conditions"]
    assert [(c["type"], c["observedGeneration"]) for c in conditions] == [("Valid", 2), ("RightSized", 1)]
