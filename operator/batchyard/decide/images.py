"""What could be better about the images of a definition: tags that move, size, and the time that pods wait for them."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal

from batchyard.world.sightings import Stay

LARGE_IMAGE = 2**30  # bytes
SLOW_PULL = Decimal("0.10")  # part of the time that a pod lasts
START = 3.0  # seconds that a pod takes to start where its images are there: sandbox, network, volumes
LONG = 10.0  # seconds beyond that from which a wait is worth a word
FEWEST = 3  # pods whose stay must be known before anything is said of their waits


@dataclass(frozen=True, slots=True)
class Image:
    """An image of a definition: its bytes on a node, the seconds that its pulls took, and how long pods run."""

    name: str
    size: int | None = None
    pulls: tuple[float, ...] = ()
    lasts: float | None = None


@dataclass(frozen=True, slots=True)
class Remark:
    """Something that could be better: a stable token, and the sentence."""

    reason: str
    words: str


def remarks(image: Image) -> list[Remark]:
    """Return what could be better about an image."""
    return [remark for remark in (_moves(image), _slow(image), _large(image)) if remark]


def advise_image(image: Image) -> list[str]:
    """Return the same as sentences."""
    return [remark.words for remark in remarks(image)]


def _moves(image: Image) -> Remark | None:
    if not unpinned(image.name):
        return None
    return Remark(
        "ImageUnpinned",
        f"image {image.name} names no version: a retry may run other code than the first attempt; "
        "write a tag that never moves, or a digest (@sha256:...)",
    )


def _large(image: Image) -> Remark | None:
    if image.size is None or image.size < LARGE_IMAGE:
        return None
    size = f"{image.size / 2**30:.1f} GiB"
    return Remark("ImageLarge", f"image {image.name} has {size}, which every new node has to pull first")


def _slow(image: Image) -> Remark | None:
    slowest = max(image.pulls, default=0.0)
    if not image.lasts or Decimal(str(slowest)) < SLOW_PULL * Decimal(str(image.lasts)):
        return None
    return Remark(
        "ImageSlow",
        f"image {image.name} took {slowest:.0f} s to pull, and a pod runs for {image.lasts:.0f} s: put it into "
        "the nodes' own image, or let one pod do more",
    )


def remark_on_waits(stays: Collection[Stay], claims: bool = False) -> Remark | None:
    """Return what waits for images cost of the time that pods have their nodes; None if little, or not known.

    Pods with volume `claims` wait for their volumes too, and nobody can tell how long for what.
    """
    waits = [max(stay.waited - START, 0.0) for stay in stays]
    lost, whole = sum(waits), sum(stay.waited + stay.ran for stay in stays)
    if claims or len(waits) < FEWEST or max(waits) < LONG or Decimal(str(lost)) < SLOW_PULL * Decimal(str(whole)):
        return None
    runs = sum(stay.ran for stay in stays) / len(waits)
    return Remark(
        "ImageSlow",
        f"pods waited up to {max(waits):.0f} s on their nodes before they ran, as images have to be pulled, and run "
        f"for {runs:.0f} s: {100 * lost / whole:.0f} % of their time is lost; put the images into the nodes' own "
        "image, make them smaller, or let one pod do more",
    )


def unpinned(image: str) -> bool:
    """Say whether an image's name may mean another image tomorrow: without a tag or digest, or with the tag latest."""
    if "@sha256:" in image:
        return False
    tag = image.rsplit("/", 1)[-1].partition(":")[2]
    return tag in ("", "latest")


def canonical(image: str) -> str:
    """Return an image's name as nodes have it: with registry and tag (busybox is docker.io/library/busybox:latest)."""
    tagged, _, digest = image.partition("@")
    host, slash, _ = tagged.partition("/")
    if not slash:
        tagged = f"docker.io/library/{tagged}"
    elif not ("." in host or ":" in host or host == "localhost"):
        tagged = f"docker.io/{tagged}"
    path, _, last = tagged.rpartition("/")
    name, _, tag = last.partition(":")
    return f"{path}/{name}@{digest}" if digest else f"{path}/{name}:{tag or 'latest'}"


_SPAN = re.compile(r"([0-9.]+)(h|ms|m|s|us|µs|ns)")
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}


def pulled(message: str) -> tuple[str, float, int | None] | None:
    """Read a kubelet's event Pulled: image, seconds, bytes if it tells; None where nothing was pulled."""
    found = re.match(r'Successfully pulled image "([^"]+)" in ([0-9a-zµ.]+)', message)
    if found is None:
        return None
    seconds = sum(float(number) * _UNITS[unit] for number, unit in _SPAN.findall(found[2]))
    size = re.search(r"Image size: ([0-9]+) bytes", message)
    return found[1], seconds, int(size[1]) if size else None
