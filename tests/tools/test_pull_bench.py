from __future__ import annotations

import json
from pathlib import Path

from tools.pull_bench.content import split, tar_of_files
from tools.pull_bench.measure import Sample
from tools.pull_bench.report import as_json, table


def sample(wall_s: float) -> Sample:
    return Sample(wall_s=wall_s, cpu_s=1.0, daemon_bytes=50 << 20, children_bytes=0)


def test_the_table_compares_with_the_best_peer() -> None:
    results = {"one": {"ours": [sample(1.0), sample(2.0), sample(9.0)], "slow": [sample(8.0)], "fast": [sample(3.0)]}}
    text = table(results, "ours")
    assert "ours takes 1/1.50 of the best peer's time" in text
    assert json.loads(as_json(results))["one"]["fast"][0]["wall_s"] == 3.0


def test_parts_of_about_the_same_size(tmp_path: Path) -> None:
    packages = []
    for number in range(12):
        path = tmp_path / str(number)
        path.write_bytes(b"x" * 1000)
        packages.append([str(path)])
    assert split(packages, 4) == [[str(tmp_path / str(start + more)) for more in range(3)] for start in (0, 3, 6, 9)]


def test_equal_files_give_equal_layers(tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / name).write_text(name)
    paths = [str(tmp_path / name) for name in ("b", "a")]
    assert tar_of_files(paths) == tar_of_files(reversed(paths))
