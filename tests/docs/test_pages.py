"""What a page says can be typed: shell that parses, commands that exist, manifests that the API server takes."""

from __future__ import annotations

import re
import shlex
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from docpages import Block, all_blocks, blocks, manifests, steps
from docshell import missing
from kubernetes import client, config

from batchyard.cli.main import COMMANDS, cli
from definitions import apply_definitions

SHELL = all_blocks("bash", "console")
_PLUGIN = re.compile(r"^(?:kubectl )?batchyard (.*)$")


def test_every_command_is_shell() -> None:
    for block in SHELL:
        script = "\n".join(step.command for step in steps(block))
        done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{block.place}: {done.stderr}"


def _plugin_commands() -> Iterator[tuple[Block, list[str]]]:
    for block in SHELL:
        for line in re.sub(r"\\\n", " ", "\n".join(step.command for step in steps(block))).splitlines():
            found = _PLUGIN.match(line.strip())
            if found:
                words = shlex.split(re.split(r"\s(?:\||&&|;|>)\s|\s*#\s", found[1])[0], comments=True)
                yield block, words


def test_every_command_of_the_plug_in_is_there_with_its_flags() -> None:
    found = list(_plugin_commands())
    assert len(found) > 10
    for block, words in found:
        context = click.Context(cli)
        if words[0].startswith("-"):
            continue
        assert words[0] in COMMANDS, f"{block.place}: no command {words[0]}"
        command = cli.get_command(context, words[0])
        assert command is not None
        try:
            command.make_parser(click.Context(command)).parse_args(words[1:])
        except click.UsageError as error:
            pytest.fail(f"{block.place}: batchyard {' '.join(words)}: {error.message}")


def _renamed(found: list[tuple[Block, dict[str, Any]]]) -> list[dict[str, Any]]:
    """Give each a name that nothing on the cluster has, in the namespace of the test."""
    mark = uuid.uuid4().hex[:6]
    metas = ({key: value for key, value in body["metadata"].items() if key != "namespace"} for _, body in found)
    names = (f"{body['metadata']['name'][:24]}-{mark}-{number}" for number, (_, body) in enumerate(found))
    return [
        {**body, "metadata": {**meta, "name": name}} for (_, body), meta, name in zip(found, metas, names, strict=True)
    ]


@pytest.mark.cluster
def test_the_api_server_takes_every_manifest(kubeconfig: str, tmp_path: Path) -> None:
    found = [(block, body) for block in all_blocks("yaml", "bash", "console", "") for body in manifests(block)]
    assert len(found) > 20
    api = config.new_client_from_config(kubeconfig)
    apply_definitions(api)
    core, namespace = client.CoreV1Api(api), f"docs-{uuid.uuid4().hex[:8]}"
    core.create_namespace({"metadata": {"name": namespace}})
    file = tmp_path / "all.yaml"
    file.write_text(yaml.safe_dump_all(_renamed(found)))
    kubectl = str(Path(kubeconfig).parent / "bin" / "kubectl")
    options = [f"--kubeconfig={kubeconfig}", f"--namespace={namespace}", "--dry-run=server", "--validate=strict"]
    try:
        done = subprocess.run(
            [kubectl, "create", *options, f"--filename={file}"], capture_output=True, text=True, check=False
        )
    finally:
        core.delete_namespace(namespace)
    places = "\n".join(f"-{number}: {block.place}" for number, (block, _) in enumerate(found))
    assert done.returncode == 0, f"{done.stderr}\n{places}"
    assert done.stdout.count("(server dry run)") == len(found)


def test_a_reader_sees_when_a_page_is_wrong() -> None:
    shows = ["NAME   PHASE", "first  Succeeded   6s", "node/spot-mwtmekxt-0 Ready"]
    assert missing(shows, "NAME PHASE\nfirst Succeeded 1m12s\nnode/spot-abcdefgh-3   Ready\n") == ""
    assert missing(shows, "NAME PHASE\nfirst Failed 6s\nnode/spot-abcdefgh-3   Ready\n") == "first Succeeded AGE"
    assert missing(shows, "NAME PHASE\nfirst Succeeded 6s\n") == "3 lines, not 2"
    assert missing(["a ...", "..."], "a b\nc\n") == ""
    assert missing(["...", "d"], "a b\nc\n") == "d"


def test_a_console_block_is_commands_and_what_they_show() -> None:
    (page,) = {block.page for block in all_blocks("console") if block.page.name == "tutorial.md"}
    dialogue = [step for block in blocks(page) if block.language == "console" for step in steps(block)]
    assert len(dialogue) > 10
    assert all(step.command for step in dialogue)
