"""The demo's input, every licence, changelog and copyright file of this machine; and Python's own count of it."""

from __future__ import annotations

import base64
import gzip
import hashlib
import shutil
import string
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

LICENCES = Path("/usr/share/common-licenses")
DOCUMENTS = Path("/usr/share/doc")
TOP = 15
LONG = 5
LETTERS = bytes(ord(chr(byte).lower()) if chr(byte) in string.ascii_letters else ord(" ") for byte in range(256))


@dataclass(frozen=True, slots=True)
class Folder:
    """What the nodes see as /images/demo: texts/, heaps/ (lists of texts), counts/ (one table of words per heap)."""

    path: Path

    def prepare(self) -> tuple[int, int]:
        """Copy the texts in, with nothing left of an earlier run; return how many they are, and their bytes."""
        shutil.rmtree(self.path, ignore_errors=True)
        for name in ("texts/common-licenses", "texts/doc", "heaps", "counts"):
            (self.path / name).mkdir(parents=True)
        for source, target in _sources(self.path / "texts"):
            target.parent.mkdir(exist_ok=True)
            shutil.copyfile(source, target)
        sizes = [path.stat().st_size for path in self.texts()]
        return len(sizes), sum(sizes)

    def texts(self) -> list[Path]:
        """Return every text."""
        return sorted(path for path in (self.path / "texts").rglob("*") if path.is_file())

    def deal(self, plan: str) -> None:
        """Write the heaps that the split job has printed: lines of heap and file."""
        heaps: dict[str, list[str]] = {}
        for line in plan.splitlines():
            heap, name = line.split(" ", 1)
            heaps.setdefault(heap, []).append(name)
        for heap, names in heaps.items():
            (self.path / "heaps" / heap).write_text("".join(f"{name}\n" for name in names))

    def keep(self, heap: int, table: str) -> None:
        """Write the words of one heap, as packed by its job: gzip in base64."""
        (self.path / "counts" / str(heap)).write_bytes(gzip.decompress(base64.b64decode(table)))

    def remove(self) -> None:
        """Give the space back."""
        shutil.rmtree(self.path, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Statistics:
    """What the batch computes: words in all, different words, checksum of the table, the most frequent long words."""

    words: int
    different: int
    checksum: str
    top: tuple[tuple[str, int], ...]

    @classmethod
    def parse(cls, log: str) -> Statistics:
        """Read what the merge job prints."""
        words, different, checksum, *top = log.splitlines()
        pairs = tuple((word, int(count)) for word, count in (line.split() for line in top))
        return cls(int(words), int(different), checksum, pairs)


def counted(folder: Path) -> Statistics:
    """Count the same words without any of the cluster's tools."""
    counts: Counter[bytes] = Counter()
    for path in Folder(folder).texts():
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        counts.update(content.translate(LETTERS).split())
    table = sorted(b"%s %d\n" % pair for pair in counts.items())
    long = (pair for pair in counts.items() if len(pair[0]) >= LONG)
    top = sorted(long, key=lambda pair: (-pair[1], pair[0]))[:TOP]
    return Statistics(
        words=sum(counts.values()),
        different=len(counts),
        checksum=hashlib.sha256(b"".join(table)).hexdigest(),
        top=tuple((word.decode(), count) for word, count in top),
    )


def licences(folder: Path) -> dict[str, int]:
    """Count the copyright files that mention each licence, as the job of that name does."""
    texts = folder / "texts"
    copyrights = [path.read_bytes() for path in texts.glob("doc/**/copyright")]
    names = [path.name for path in (texts / "common-licenses").iterdir()]
    return {name: sum(f"common-licenses/{name}".encode() in text for text in copyrights) for name in names}


def _sources(texts: Path) -> Iterator[tuple[Path, Path]]:
    """Give each text with its place in the folder; links would only repeat a text."""
    for path in LICENCES.glob("*"):
        if _is_text(path):
            yield path, texts / "common-licenses" / path.name
    for pattern in ("*/changelog*", "*/copyright"):
        for path in DOCUMENTS.glob(pattern):
            if _is_text(path) and not path.parent.is_symlink():
                yield path, texts / "doc" / path.parent.name / path.name


def _is_text(path: Path) -> bool:
    return path.is_file() and not path.is_symlink() and len(str(path).split()) == 1
