"""A full list is taken page by page; what is known already is not read again."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

import msgspec
import pytest

from batchyard.decide import decide
from batchyard.engine import ingest as ingest_module
from batchyard.engine.bell import Bell
from batchyard.engine.ingest import Ingest, Listing
from batchyard.engine.resync import list_kind
from batchyard.kube.session import ApiError, Session
from batchyard.model.phase import Phase
from batchyard.world.store import Store
from batchyard.world.views import JobStatus
from builders import NOW, job_body, store
from kube.stub import answer, hang, status, stub_server
from kube.things import anonymous


@pytest.fixture
def ingest() -> Ingest:
    return Ingest(Store(), Bell())


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of the bodies that are read from now on."""
    names: list[str] = []
    plainly = ingest_module.read

    def read(plural: str, body: Any) -> Any:
        names.append(body["metadata"]["name"])
        return plainly(plural, body)

    monkeypatch.setattr(ingest_module, "read", read)
    return names


def body(name: str, version: int, **more: Any) -> dict[str, Any]:
    return job_body(name, more.pop("status", None), {"resourceVersion": str(version)}, **more)


def page(*bodies: dict[str, Any]) -> list[msgspec.Raw]:
    return [msgspec.Raw(msgspec.json.encode(each)) for each in bodies]


def take(ingest: Ingest, version: int, *pages: list[msgspec.Raw]) -> None:
    listing = Listing(ingest, "batchjobs")
    for each in pages:
        listing.take(each)
    listing.end(str(version))


def known(ingest: Ingest) -> dict[str, str]:
    return {view.name: view.version for view in ingest.store.jobs.values()}


def test_what_all_pages_lack_is_gone(ingest: Ingest) -> None:
    for name, version in (("a", 1), ("b", 2), ("c", 3), ("young", 9)):
        ingest.take("batchjobs", "ADDED", body(name, version))
    take(ingest, 5, page(body("a", 1)), page(body("c", 4), body("d", 5)))
    assert known(ingest) == {"a": "1", "c": "4", "d": "5", "young": "9"}


def test_only_what_is_new_is_read(ingest: Ingest, reads: list[str]) -> None:
    take(ingest, 3, page(body("a", 1), body("b", 2)))
    take(ingest, 4, page(body("a", 1), body("b", 4)))
    ingest.take("batchjobs", None, body("a", 1))
    assert reads == ["a", "b", "b"]


def test_what_is_known_rings_no_bell_and_is_not_judged_again(ingest: Ingest) -> None:
    ingest.take("batchjobs", "ADDED", body("a", 1))
    decide(ingest.store, NOW)
    ingest.take("batchjobs", None, body("a", 1))
    assert "uid-a" in ingest.store.memo


def test_a_write_in_doubt_is_settled_by_the_version_that_is_known(ingest: Ingest, reads: list[str]) -> None:
    """The write failed: the API server still says what it said before, and that is news."""
    ingest.take("batchjobs", "ADDED", body("a", 1))
    assumed = JobStatus(phase=Phase.Running)
    ingest.store.assume_status("uid-a", assumed)
    ingest.take("batchjobs", "MODIFIED", body("a", 1))
    assert ingest.store.jobs["uid-a"].status.phase is Phase.Running
    ingest.store.settle_status("uid-a", assumed)
    take(ingest, 1, page(body("a", 1)))
    assert ingest.store.jobs["uid-a"].status.phase is Phase.Submitted
    assert reads == ["a"] * 3


def test_a_deletion_counts_whatever_its_version(ingest: Ingest) -> None:
    ingest.take("batchjobs", "ADDED", body("a", 1))
    ingest.take("batchjobs", "DELETED", body("a", 1))
    assert not known(ingest)


def test_one_that_cannot_be_read_is_left_as_it_was(ingest: Ingest) -> None:
    take(ingest, 1, page(body("a", 1)))
    broken = {**body("a", 2), "spec": {"queue": 5}}
    take(ingest, 3, page(broken, body("b", 3)))
    assert known(ingest) == {"a": "1", "b": "3"}


async def test_pages_are_asked_for_one_after_the_other() -> None:
    ingest = Ingest(store(), Bell())
    async with stub_server() as stub, Session(anonymous(stub.url)) as session:
        first = {"metadata": {"resourceVersion": "7", "continue": "more"}, "items": [body("a", 1)]}
        last = {"metadata": {"resourceVersion": "7"}, "items": [body("b", 2)]}
        stub.then(answer(first), answer(last))
        await list_kind(session, ingest, "batchjobs")
        assert [query.get("continue") for _, _, query, _ in stub.seen] == [None, "more"]
    assert known(ingest) == {"a": "1", "b": "2"}


async def test_the_next_page_is_asked_for_while_one_is_read() -> None:
    async with stub_server() as stub, Session(anonymous(stub.url)) as session:
        more = {"metadata": {"resourceVersion": "7", "continue": "more"}, "items": [body("a", 1)]}
        stub.then(answer(more), answer({"metadata": {"resourceVersion": "7"}, "items": [body("b", 2)]}))
        async with aclosing(session.pages("/x", msgspec.Raw)) as pages:
            assert len((await anext(pages)).items) == 1
            await stub.until_seen(2)
            assert [page.version async for page in pages] == ["7"]


async def test_who_leaves_early_leaves_nothing_on_its_way() -> None:
    async with stub_server() as stub, Session(anonymous(stub.url)) as session:
        stub.then(answer({"metadata": {"resourceVersion": "7", "continue": "more"}, "items": []}), hang())
        async with aclosing(session.pages("/x", msgspec.Raw)) as pages:
            await anext(pages)
            await stub.until_seen(2)
        await stub.quiet()


async def test_a_page_that_comes_too_late_ends_the_list() -> None:
    ingest = Ingest(store(), Bell())
    async with stub_server() as stub, Session(anonymous(stub.url)) as session:
        first = {"metadata": {"resourceVersion": "7", "continue": "more"}, "items": [body("a", 1)]}
        stub.then(answer(first), status(410, "Expired", "too old"))
        with pytest.raises(ApiError, match="410"):
            await list_kind(session, ingest, "batchjobs")
    assert known(ingest) == {"a": "1"}
