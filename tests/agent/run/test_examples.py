"""Every file in examples/ does what its comment says, by `podwright run` on Podwright."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.agent.run.real import PodFiles
from tests.agent.run.recording import RecordingReporter
from tests.harness.podwright import Podwright
from tools.ports import free_port

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
HOST_PORT = "18080"


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """`lines` are parts of what containers write. One that does not end by itself is stopped when all were seen."""

    lines: tuple[str, ...]
    ends: bool = True
    code: int = 0
    options: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


TABLE = {
    "claim.yaml": Example(
        lines=("this is run number 1",), warnings=("PersistentVolumeClaim notes: spec.resources is not honoured",)
    ),
    "configmap.yaml": Example(lines=("colour from the environment: green", "the password has 17 bytes and mode 440")),
    "cronjob.yaml": Example(
        lines=(" processors, ",),
        options=("now",),
        warnings=("CronJob report: spec.schedule '0 4 * * *' is not kept",),
    ),
    "daemonset.yaml": Example(lines=("is the machine", "load: "), ends=False),
    "deployment.yaml": Example(lines=("working as workers-",) * 3, ends=False),
    "failing.yaml": Example(lines=("fine", "about to fail"), code=1),
    "hello.yaml": Example(
        lines=("wrote /site/index.html", "says: Hello, this is Podwright from pod hello"), ends=False
    ),
    "hooks.yaml": Example(lines=("postStart has run", "started after the hook of the first one"), ends=False),
    "job.yaml": Example(lines=tuple(f"piece {number} is done" for number in range(5))),
    "list.yaml": Example(lines=("this pod was listed",)),
    "probes.yaml": Example(lines=("it breaks now", "this time it works"), ends=False),
    "service.yaml": Example(lines=("by its name: a page of web-", "by variables: a page of web-"), ends=False),
    "sidecars.yaml": Example(lines=("prepared by an init container", "written by the main container")),
    "statefulset.yaml": Example(
        lines=("store-0 was started 1 times", "store-0 says: store-0 was started 1 times"), ends=False
    ),
    "volumes.yaml": Example(
        lines=(
            "memory: 1024 KiB",
            "the folder of the machine is read-only",
            "in one folder: labels text token",
            'label: colour="green"',
            "a part of a volume, named after pod voluminous",
            "the files of an image",
        )
    ),
}


@pytest.fixture
async def files(podwright_server: Podwright, tmp_path: Path) -> AsyncIterator[PodFiles]:
    async with podwright_server.client() as client:
        yield PodFiles(peer=podwright_server.peer(client), directory=tmp_path)


def has_seen(seen: RecordingReporter, example: Example) -> bool:
    """Whether each line of the example was written, those that stand there twice by two."""
    written = [line.text for line in seen.lines]
    return all(
        sum(part in text for text in written) >= example.lines.count(part) for part in dict.fromkeys(example.lines)
    )


def test_every_example_is_tried_and_says_how_it_is_run() -> None:
    assert sorted(path.name for path in EXAMPLES.glob("*.yaml")) == sorted(TABLE)
    for name in TABLE:
        text = (EXAMPLES / name).read_text()
        assert f"examples/{name}" in text.split("\napiVersion")[0]


@pytest.mark.root
@pytest.mark.parametrize("name", sorted(TABLE))
async def test_an_example(files: PodFiles, name: str) -> None:
    example = TABLE[name]
    text = (EXAMPLES / name).read_text().replace(HOST_PORT, str(free_port()))
    run = files.run(text, **dict.fromkeys(example.options, True))
    if example.ends:
        code = await run.code()
        assert has_seen(run.seen, example), run.seen
    else:
        code = await run.code_after(lambda seen: has_seen(seen, example))
    assert code == example.code, run.seen
    warnings = [each for each in run.seen.warnings if "Unhealthy" not in each]  # a probe may come before its program
    assert len(warnings) == len(example.warnings), warnings
    for warning, beginning in zip(warnings, example.warnings, strict=True):
        assert warning.startswith(beginning)
    assert files.left() == []
    assert await files.sandboxes() == []


@pytest.mark.root
async def test_claims_are_found_again(files: PodFiles) -> None:
    for number in (1, 2):
        run = files.run((EXAMPLES / "claim.yaml").read_text())
        assert await run.code() == 0
        assert run.seen.text("write") == [f"this is run number {number}"]


@pytest.mark.root
async def test_several_files_and_folders_are_one_run(files: PodFiles, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    documents = (EXAMPLES / "configmap.yaml").read_text().split("---\n")
    for number, document in enumerate(documents[1:]):
        (folder / f"{number}.yaml").write_text(document)
    settings = tmp_path / "settings.yaml"
    settings.write_text(documents[0])
    run = files.run_paths(str(folder), str(settings), str(EXAMPLES / "list.yaml"))
    assert await run.code() == 0
    assert "colour from the environment: green" in run.seen.text("show")
    assert run.seen.text("say") == ["this pod was listed"]
