"""Orphans, in a process of their own: to reap every child there is would take those of the other tests away."""

from __future__ import annotations

import subprocess
import sys

from podwright.conformance.patience import patient

DAEMON = """
import asyncio, os
from podwright.process import Command, PosixProcessRunner, adopt_orphans

async def main():
    adopt_orphans()
    runner = PosixProcessRunner()
    script = "sleep 0.2 & echo $!; exit 3"
    many = await asyncio.gather(*(runner.run(Command(argv=("sh", "-c", script), timeout_s=60)) for _ in range(20)))
    orphans = [int(each.stdout) for each in many]
    print({each.returncode for each in many})
    async with asyncio.timeout(60):
        while any(os.path.exists(f"/proc/{pid}") for pid in orphans):
            await asyncio.sleep(0.01)
    print("gone")
    print((await runner.run(Command(argv=("sh", "-c", "exit 5"), timeout_s=60))).returncode)

asyncio.run(main())
"""


def test_orphans_are_reaped_and_exit_codes_of_children_are_kept() -> None:
    done = subprocess.run(
        [sys.executable, "-c", DAEMON], capture_output=True, text=True, timeout=patient(60), check=False
    )
    assert (done.stdout, done.stderr) == ("{3}\ngone\n5\n", "")


PARENT = """
import asyncio, os
from podwright.process import Command, PosixProcessRunner, adopt_orphans

async def main():
    adopt_orphans()
    script = "sleep 100 <&- >&- 2>&- & echo $!"
    done = await PosixProcessRunner().run(Command(argv=("sh", "-c", script), timeout_s=60))
    with open(f"/proc/{int(done.stdout)}/stat") as file:
        print(int(file.read().rpartition(")")[2].split()[1]) == os.getpid())
    os.kill(int(done.stdout), 9)
    while os.path.exists(f"/proc/{int(done.stdout)}"):  # its SIGCHLD must not meet a closed loop
        await asyncio.sleep(0.01)

asyncio.run(main())
"""


def test_orphans_are_ours() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PARENT], capture_output=True, text=True, timeout=patient(60), check=False
    )
    assert (done.stdout, done.stderr) == ("True\n", "")
