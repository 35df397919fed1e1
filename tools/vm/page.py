"""docs/hosts.md: the last result of each suite, by host and cgroup driver. It is made of docs/hosts.json."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tools.vm.results import Counts

HEAD = """\
# Hosts

`make vm-test` runs the tests in virtual machines that are as a server is: Debian with systemd, cgroup v2 alone,
AppArmor, every capability, and the release's own kernel, crun, runc, conmon and CRIU, once with each cgroup driver for
the servers and agents under test. `conformance` are the conformance cases, `agent` is `podwright agent` with static
pods, and `root` are the tests that need root. `host` is the part of all of them that depends most on the host:
cgroups, limits, AppArmor, user namespaces, checkpoints, and a shutdown of the machine. These are the last results. Of
a suite in brackets only a part ran (`--minutes`, `--select`), and one without a row never ran.

    make vm-test                                                        # everything: hours without KVM
    make vm-test ARGS="--system debian-13 --driver systemd --suite conformance --select apparmor"
    make vm-test ARGS="--suite host"                                    # what depends most on the host
    make vm-test ARGS="--minutes 90 --publish"                          # and write this page
    make vm-test ARGS="--nice 0"                                        # on a host with other work: 15 is usual

A run goes on where the last one of the same tree stopped; tests that failed run again. The machines reach no network:
their packages come from the Debian mirror that apt uses here, and their Python packages are those of
`requirements.lock`. Images and outcomes are kept below `build/vm`.

## What a host needs

- Linux with cgroup v2 (v1 and hybrid hosts work too, without memory QoS, swap limits and pressure metrics), overlayfs,
  and crun or runc with conmon. `podwright doctor` looks at all of it and says what to do.
- For the systemd cgroup driver, systemd with D-Bus. `cgroupRoot` may be a slice that systemd has made without
  controllers: the agent passes them on.
- For graceful shutdown, systemd-logind. The agent raises its `InhibitDelayMaxSec` by a drop-in when that is too short.
- For AppArmor profiles of pods, a kernel with AppArmor on, and `apparmor_parser` for profiles of one's own.
- For checkpoints, CRIU, and for crun on Debian 13 `libcriu2`.
- For swap (`LimitedSwap`), swap on the machine and `failSwapOn: false`.
- For what the gate MemoryQoS keeps for containers, a crun newer than Debian 12's with the systemd driver: crun 1.8
  limits a cgroup below the scope alone, and the scope above it keeps nothing. Limits hold with both.

## Results

<!-- made by tools.vm.page from docs/hosts.json -->

"""
SOFTWARE = ("crun", "runc", "conmon", "criu", "apparmor", "systemd")


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """The last result of one suite on one host with one cgroup driver. `failed` are the ids of tests that failed.

    `skipped` are the reasons of tests that were skipped, and how many they were.
    """

    system: str
    driver: str
    suite: str
    date: str
    commit: str
    accelerator: str
    versions: dict[str, str]
    counts: Counts
    failed: tuple[str, ...] = ()
    skipped: dict[str, int] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str, str]:
        """The names of what it is the result of."""
        return self.system, self.driver, self.suite


def render(records: list[Record]) -> str:
    """The page. Pure."""
    lines = [_row("host", "cgroup driver", "suite", "result", "commit", "date"), _row(*(["---"] * 6))]
    lines += [_row(*record.key, _result(record.counts), record.commit, record.date) for record in records]
    parts = [HEAD, "\n".join(lines), "\n"]
    for record in _one_of_each_host(records):
        listed = ", ".join(f"{name} {version}" for name, version in record.versions.items())
        parts.append(f"\n{record.system}: {listed}; QEMU with {record.accelerator.upper()}.\n")
    if failed := [(record, test) for record in records for test in record.failed]:
        parts.append("\n## Tests that failed\n\n")
        parts += [f"- {', '.join(record.key)}: `{test}`\n" for record, test in failed]
    if skipped := [(record, reason, number) for record in records for reason, number in record.skipped.items()]:
        parts.append("\n## Tests that were skipped\n\n")
        parts += [f"- {', '.join(record.key)}: {number}: {reason}\n" for record, reason, number in skipped]
    return "".join(parts)


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _result(counts: Counts) -> str:
    words = [f"{counts.passed} passed"]
    words += [
        f"{number} {name}"
        for name, number in (("failed", counts.failed), ("skipped", counts.skipped), ("expected", counts.xfailed))
        if number
    ]
    text = ", ".join(words)
    return text if counts.complete else f"({text})"


def _one_of_each_host(records: list[Record]) -> list[Record]:
    return list({record.system: record for record in records}.values())


def load(path: Path) -> list[Record]:
    """Load the results that are kept."""
    return [_from_json(item) for item in json.loads(path.read_text())] if path.exists() else []


def _from_json(item: dict[str, Any]) -> Record:
    return Record(**{**item, "counts": Counts(**item["counts"]), "failed": tuple(item["failed"])})


def put(record: Record, docs: Path) -> None:
    """Put a result in the place of the last one of its suite, host and driver, and write both files anew."""
    kept = {one.key: one for one in load(docs / "hosts.json")}
    kept[record.key] = record
    records = [kept[key] for key in sorted(kept)]
    (docs / "hosts.json").write_text(f"{json.dumps([asdict(one) for one in records], indent=1)}\n")
    (docs / "hosts.md").write_text(render(records))


def versions(listing: str, kernel: str) -> dict[str, str]:
    """The versions of the software that matters here, from `dpkg-query -W`. Pure."""
    installed = dict(line.split("\t", 1) for line in listing.splitlines() if "\t" in line)
    return {"kernel": kernel, **{name: installed[name] for name in SOFTWARE if name in installed}}
