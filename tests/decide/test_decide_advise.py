"""Advice: what is suggested from what was asked for and used, and what is said of images."""

from decimal import Decimal

import pytest

from batchyard.decide.advise import advise, request
from batchyard.decide.images import Image, advise_image, pulled, unpinned
from batchyard.model.resources import Resources
from batchyard.world.sightings import Use
from builders import C8

MI = 2**20


def uses(asked: tuple[int, int], *used: tuple[int, int], priced: bool = True) -> list[Use]:
    """Return pods that asked for and used (millicores, MiB)."""
    request_ = Resources(cpu=asked[0], memory=asked[1] * MI, pods=1)
    shape = C8 if priced else None
    return [Use(request_, Resources(cpu=cpu, memory=memory * MI), shape) for cpu, memory in used]


@pytest.mark.parametrize(
    ("asked", "used", "better"),
    [
        ((2000, 4096), [(400, 900)] * 3, {"cpu": "500m", "memory": "1152Mi"}),  # with headroom, in steps
        ((2000, 4096), [(400, 900), (100, 100), (1000, 3000)], {"cpu": "1150m", "memory": "4096Mi"}),  # the most counts
        ((1000, 1024), [(900, 850)] * 3, {"cpu": "1", "memory": "1024Mi"}),  # near enough
        ((1000, 1024), [(1000, 1020)] * 3, {"cpu": "1", "memory": "1280Mi"}),  # about to be killed
        ((0, 0), [(10, 1)] * 3, {"cpu": "50m", "memory": "64Mi"}),  # nothing asked for
    ],
)
def test_a_request_with_headroom_above_the_most_that_was_used(
    asked: tuple[int, int], used: list[tuple[int, int]], better: dict[str, str]
) -> None:
    found = advise(uses(asked, *used))
    assert found is not None
    assert request(found.better) == better


def test_too_few_pods_say_nothing() -> None:
    assert advise(uses((1000, 1024), (10, 10), (10, 10))) is None


def test_what_it_saves_is_the_smaller_share_of_the_node() -> None:
    found = advise(uses((4000, 1024), *[(800, 800)] * 3))  # of 8 vCPUs and 16 GiB at $0.34 an hour
    assert found is not None
    assert request(found.better) == {"cpu": "950m", "memory": "1024Mi"}
    assert found.saves == Decimal("0.34") * (Decimal("0.5") - Decimal("0.11875"))
    assert found.words == ("asks for 4 cpu and uses 800m at most",)


def test_without_a_price_nothing_is_said_to_be_saved() -> None:
    found = advise(uses((4000, 1024), *[(800, 800)] * 3, priced=False))
    assert found is not None
    assert found.saves is None


def test_the_template_s_own_request_counts_not_that_after_an_out_of_memory_kill() -> None:
    found = advise([*uses((1000, 1024), (900, 1000), (900, 1000)), *uses((1000, 2048), (900, 1500))])
    assert found is not None
    assert found.asked.memory == 1024 * MI
    assert request(found.better)["memory"] == "1920Mi"
    assert "may be killed" in found.words[0]


@pytest.mark.parametrize(
    ("image", "moves"),
    [
        ("busybox", True), ("registry:5000/team/app", True), ("app:latest", True), ("app:1.2", False),
        ("registry:5000/app:1", False), ("app@sha256:0123", False), ("app:latest@sha256:0123", False),
    ],
)  # fmt: skip
def test_tags_that_move(image: str, moves: bool) -> None:
    assert unpinned(image) is moves


def test_what_is_said_of_an_image() -> None:
    assert advise_image(Image("app:1", 50 * MI, (1.0,), 600.0)) == []
    slow, large = advise_image(Image("app:1", 3 * 2**30, (4.0, 70.0), 300.0))
    assert "3.0 GiB" in large
    assert "70 s to pull" in slow
    assert "names no version" in advise_image(Image("app"))[0]


@pytest.mark.parametrize(
    ("message", "read"),
    [
        ('Successfully pulled image "app:1" in 1m2.5s (1m2.5s including waiting). Image size: 123 bytes.',
         ("app:1", 62.5, 123)),
        ('Successfully pulled image "app:1" in 321ms', ("app:1", 0.321, None)),
        ('Container image "app:1" already present on machine', None),
    ],
)  # fmt: skip
def test_events_of_pulls(message: str, read: tuple[str, float, int | None] | None) -> None:
    assert pulled(message) == read
