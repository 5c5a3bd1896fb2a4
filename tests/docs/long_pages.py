"""The tutorial and the README's first job, typed command by command on a real cluster (make test-docs)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from docpages import ROOT, Block, blocks, steps
from docshell import Shell

TUTORIAL = [block for block in blocks(ROOT / "docs" / "tutorial.md") if block.language in ("bash", "console")]
README = [block for block in blocks(ROOT / "README.md")
          if block.language in ("bash", "console") and block.heading == "A first job"]  # fmt: skip

# What the pages make, so that a run that failed half-way leaves nothing that the next one would find.
AWAY = """
export KUBECONFIG=$PWD/.cluster/kubeconfig PATH=$PWD/.cluster/bin:$PATH
names="array chain retry too-large hello queues environments"
kubectl delete --ignore-not-found bj/first bj/greet-ada bj/squares-r1 jobdefinition/greet
for name in $names; do kubectl delete --ignore-not-found --filename examples/$name.yaml; done
make operator-down
"""
pytestmark = pytest.mark.timeout(3600)


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    shell = Shell(tmp_path_factory.mktemp("shell") / "variables")
    yield shell
    shell.type(AWAY)
    print(*shell.log, sep="\n")


@pytest.mark.parametrize("block", TUTORIAL, ids=lambda block: block.place)
def test_the_tutorial(shell: Shell, block: Block) -> None:
    for step in steps(block):
        shell.run(step)


@pytest.mark.parametrize("block", README, ids=lambda block: block.place)
def test_the_readme(shell: Shell, block: Block) -> None:
    """After the tutorial, which leaves the operator running, as the demo does."""
    for step in steps(block):
        shell.run(step)


def test_the_pages_have_commands() -> None:
    assert len(TUTORIAL) > 8
    assert len(README) > 1
