"""Following files."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from podwright.agent.run.watch import changed_texts, read_texts
from podwright.conformance.patience import patient


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param(lambda folder: (folder / "a.yaml").write_bytes(b"new"), {"a.yaml": b"new"}, id="another text"),
        pytest.param(
            lambda folder: (folder / "b.yaml").write_bytes(b"more"), {"a.yaml": b"old", "b.yaml": b"more"}, id="a file"
        ),
        pytest.param(lambda folder: (folder / "a.yaml").rename(folder / "c.yaml"), {"c.yaml": b"old"}, id="a name"),
    ],
)
async def test_a_change_in_a_folder_is_seen(tmp_path: Path, change: object, expected: dict[str, bytes]) -> None:
    (tmp_path / "a.yaml").write_bytes(b"old")
    known = read_texts([str(tmp_path)])
    waiting = asyncio.create_task(changed_texts([str(tmp_path)], known))
    await asyncio.sleep(0)
    assert callable(change)
    change(tmp_path)
    texts = await asyncio.wait_for(waiting, patient(60))
    assert {Path(path).name: text for path, text in texts} == expected


async def test_a_file_that_is_being_replaced_is_waited_for(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes(b"old")
    waiting = asyncio.create_task(changed_texts([str(file)], read_texts([str(file)])))
    file.unlink()
    await asyncio.sleep(0.7)
    assert not waiting.done()
    file.write_bytes(b"new")
    assert (await asyncio.wait_for(waiting, patient(60)))[0][1] == b"new"
