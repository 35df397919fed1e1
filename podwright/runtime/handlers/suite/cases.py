"""The cases. Each makes its own container, and deletes it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Awaitable, Callable

from podwright.errors import DeadlineExceeded, PodwrightError, RuntimeFailed
from podwright.runtime.handlers.protocol import Bundle, HandlerRecord, OutputStream, Task, TaskState
from podwright.runtime.handlers.suite.world import World
from podwright.runtime.model.base import Resources

Case = Callable[[World], Awaitable[None]]

SLEEP = ("sleep", "1000")
OUTPUT_LIMIT_BYTES = 1 << 20
PATIENCE_S = 30.0  # for what must happen, on a machine that is busy


def _ignore(_: HandlerRecord) -> None:
    """A note that nobody needs."""


@contextlib.asynccontextmanager
async def _running(world: World, *argv: str, bundle: Bundle | None = None) -> AsyncIterator[Task]:
    task = await world.handler.create(bundle or world.bundle(*argv), _ignore)
    try:
        await task.start()
        yield task
    finally:
        await task.delete()


async def _ended(task: Task, number: int = signal.SIGKILL) -> int:
    await task.kill(number)
    async with asyncio.timeout(PATIENCE_S):
        return (await task.wait()).code


async def the_exit_code_is_the_programs(world: World) -> None:
    """And the end has a time and a reason."""
    for code, reason in ((0, "Completed"), (3, "Error")):
        async with _running(world, "sh", "-c", f"exit {code}") as task, asyncio.timeout(PATIENCE_S):
            end = await task.wait()
            assert (end.code, end.reason) == (code, reason)
            assert end.finished_at > 0


async def a_program_runs_only_after_start(world: World) -> None:
    """Create does not run it, and a container that was never started can be deleted."""
    bundle = world.bundle("echo", "ran")
    task = await world.handler.create(bundle, _ignore)
    assert world.log(bundle) == ""
    await task.delete()
    assert await task.pids() == frozenset()


async def a_missing_program_is_refused(world: World) -> None:
    """By create or by start, with a message that names it. Nothing is left."""
    bundle = world.bundle("/no/such/program")
    try:
        task = await world.handler.create(bundle, _ignore)
        try:
            await task.start()
        finally:
            await task.delete()
    except RuntimeFailed as failure:
        assert "/no/such/program" in str(failure)
    else:
        raise AssertionError("a program that does not exist was started")


async def output_is_in_the_log(world: World) -> None:
    """Also that which comes right before the end."""
    bundle = world.bundle("echo", "in the log")
    async with _running(world, bundle=bundle) as task, asyncio.timeout(PATIENCE_S):
        await task.wait()
        assert "in the log" in world.log(bundle)


async def a_signal_ends_it(world: World) -> None:
    """The exit code names it. A signal to a container that has ended does nothing."""
    async with _running(world, *SLEEP) as task:
        assert await _ended(task) == 128 + signal.SIGKILL
        await task.kill(signal.SIGTERM)


async def everyone_is_killed(world: World) -> None:
    """Processes of the container besides the first one, too."""
    async with _running(world, *SLEEP) as task:
        command = await task.exec(world.process(*SLEEP))
        await task.kill(signal.SIGKILL, everyone=True)
        async with asyncio.timeout(PATIENCE_S):
            assert (await task.wait()).code in (128 + signal.SIGKILL, 255)
        await command.end()
        assert await task.pids() == frozenset()


async def all_who_wait_hear_of_the_end(world: World) -> None:
    """During the container's life, and after it."""
    async with _running(world, *SLEEP) as task, asyncio.timeout(PATIENCE_S):
        waiting = [asyncio.create_task(task.wait(), name=f"waiter {number}") for number in range(2)]
        await task.kill(signal.SIGKILL)
        ends = [await each for each in waiting]
        assert ends[0] == ends[1] == await task.wait()


async def a_pause_stops_it_and_a_signal_resumes_it(world: World) -> None:
    """Pausing and resuming twice are successes."""
    async with _running(world, *SLEEP) as task:
        assert not await task.is_paused()
        await task.resume()
        await task.pause()
        await task.pause()
        assert await task.is_paused()
        await task.resume()
        assert not await task.is_paused()
        await task.pause()
        assert await _ended(task) == 128 + signal.SIGKILL


async def exec_sync_collects_output(world: World) -> None:
    """And the exit code."""
    async with _running(world, *SLEEP) as task:
        done = await task.exec_sync(
            world.process("echo", "hello"), timeout_s=PATIENCE_S, output_limit_bytes=OUTPUT_LIMIT_BYTES
        )
        assert (done.returncode, done.stdout) == (0, b"hello\n")
        done = await task.exec_sync(
            world.process("sh", "-c", "exit 7"), timeout_s=PATIENCE_S, output_limit_bytes=OUTPUT_LIMIT_BYTES
        )
        assert done.returncode == 7


async def exec_sync_ends_at_its_deadline(world: World) -> None:
    """The command ends with its process. The container keeps running."""
    async with _running(world, *SLEEP) as task:
        before = await task.pids()
        try:
            await task.exec_sync(world.process(*SLEEP), timeout_s=0.5, output_limit_bytes=OUTPUT_LIMIT_BYTES)
        except DeadlineExceeded:
            assert await task.pids() == before
        else:
            raise AssertionError("exec_sync waited beyond its deadline")


async def exec_has_stdio(world: World) -> None:
    """Input, its end, and output."""
    async with _running(world, *SLEEP) as task, asyncio.timeout(PATIENCE_S):
        command = await task.exec(world.process("cat", stdin=True))
        assert command.stdin is not None
        assert command.stdout is not None
        await command.stdin.write(b"typed")
        await command.end_input()
        assert await command.stdout.read() == b"typed"
        assert await command.stdout.read() == b""
        assert await command.wait() == 0
        await command.end()


async def exec_of_a_missing_program_is_refused(world: World) -> None:
    """The container continues."""
    async with _running(world, *SLEEP) as task:
        try:
            await task.exec_sync(
                world.process("/no/such/program"), timeout_s=PATIENCE_S, output_limit_bytes=OUTPUT_LIMIT_BYTES
            )
        except RuntimeFailed as failure:
            assert "/no/such/program" in str(failure)
        else:
            raise AssertionError("a program that does not exist was started")
        assert (await task.status()).state is TaskState.RUNNING


async def a_client_sees_output_and_sends_input(world: World) -> None:
    """And the container's end."""
    async with _running(world, bundle=world.bundle("cat", stdin=True)) as task, asyncio.timeout(PATIENCE_S):
        client = await task.attach()
        await client.write(b"to you\n")
        assert await client.read() == (OutputStream.STDOUT, b"to you\n")
        await task.kill(signal.SIGKILL)
        assert await client.read() is None
        client.close()


async def a_log_that_was_moved_is_opened_anew(world: World) -> None:
    """A log in its place stays."""
    bundle = world.bundle("cat", stdin=True)
    async with _running(world, bundle=bundle) as task:
        await task.reopen_log()
        await task.reopen_log()


async def limits_are_taken_back_when_the_block_raises(world: World) -> None:
    """And stay when it does not."""
    before, now = Resources(cpu_shares=512), Resources(cpu_shares=256)
    async with _running(world, *SLEEP) as task:
        async with task.update(before, now):
            pass
        try:
            async with task.update(now, before):
                raise LookupError
        except LookupError:
            return
    raise AssertionError("the block's exception was lost")


async def a_running_container_is_adopted(world: World) -> None:
    """By its record alone, and its end is seen."""
    bundle = world.bundle(*SLEEP)
    task = await world.handler.create(bundle, _ignore)
    await task.start()
    adopted = await world.killed().adopt(bundle, task.record)
    assert adopted is not None
    try:
        assert (await adopted.status()).state is TaskState.RUNNING
        assert await _ended(adopted) == 128 + signal.SIGKILL
    finally:
        await adopted.delete()


async def an_end_that_nobody_saw_is_known(world: World) -> None:
    """With its exit code."""
    bundle = world.bundle("sh", "-c", "exit 5")
    task = await world.handler.create(bundle, _ignore)
    await task.start()
    async with asyncio.timeout(PATIENCE_S):
        await task.wait()
    adopted = await world.killed().adopt(bundle, task.record)
    assert adopted is not None
    try:
        assert (await adopted.wait()).code == 5
    finally:
        await adopted.delete()


async def a_start_that_was_interrupted_is_found(world: World) -> None:
    """By what was noted before anything existed: the container can be deleted."""
    notes: list[HandlerRecord] = []
    bundle = world.bundle(*SLEEP)
    await world.handler.create(bundle, notes.append)
    assert notes
    adopted = await world.killed().adopt(bundle, notes[0])
    assert adopted is not None
    assert (await adopted.status()).state is not TaskState.RUNNING
    await adopted.delete()
    assert await adopted.pids() == frozenset()


async def what_never_was_is_not_adopted(world: World) -> None:
    """A container that was never created."""
    assert await world.handler.adopt(world.bundle(*SLEEP), {}) is None


async def after_a_reboot_nothing_runs(world: World) -> None:
    """Whoever has the numbers on record now is not touched."""
    bundle = world.bundle("sh", "-c", "exit 0")
    task = await world.handler.create(bundle, _ignore)
    await task.start()
    async with asyncio.timeout(PATIENCE_S):
        await task.wait()
        adopted = await world.killed().adopt(bundle, task.record, rebooted=True)
        assert adopted is not None
        await adopted.wait()
    await adopted.delete()


async def deleting_twice_is_a_success(world: World) -> None:
    """Of a running container, the first deletion kills it."""
    task = await world.handler.create(world.bundle(*SLEEP), _ignore)
    await task.start()
    await task.delete()
    await task.delete()
    assert await task.pids() == frozenset()


async def usage_is_in_a_cgroup_or_reported(world: World) -> None:
    """One of the two."""
    async with _running(world, *SLEEP) as task:
        assert task.cgroup is not None or await task.stats() is not None


async def a_pod_has_a_first_process(world: World) -> None:
    """Its end is noticed. Stopping it twice succeeds."""
    bundle = world.sandbox()
    spec = {
        "ociVersion": "1.0.2",
        "process": {"user": {"uid": 65534, "gid": 65534}, "args": ["/pause"], "cwd": "/", "noNewPrivileges": True},
        "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
        "linux": {"namespaces": [{"type": "mount"}, {"type": "pid"}], "cgroupsPath": bundle.cgroup},
    }
    first = await world.handler.create_sandbox(bundle, spec)
    assert world.handler.has_sandbox(first.record)
    waiting = asyncio.create_task(world.handler.wait_sandbox(first.record), name="wait for the first process")
    await world.handler.stop_sandbox(bundle)
    async with asyncio.timeout(PATIENCE_S):
        await waiting
    assert not world.handler.has_sandbox(first.record)
    await world.handler.stop_sandbox(bundle)


async def a_detached_client_does_not_end_it(world: World) -> None:
    """Nor does the daemon's end."""
    async with _running(world, bundle=world.bundle("cat", stdin=True)) as task:
        client = await task.attach()
        client.close()
        await task.close()
        assert (await task.status()).state is TaskState.RUNNING
        with contextlib.suppress(PodwrightError):
            (await task.attach()).close()


CASES: tuple[Case, ...] = (
    the_exit_code_is_the_programs,
    a_program_runs_only_after_start,
    a_missing_program_is_refused,
    output_is_in_the_log,
    a_signal_ends_it,
    everyone_is_killed,
    all_who_wait_hear_of_the_end,
    a_pause_stops_it_and_a_signal_resumes_it,
    exec_sync_collects_output,
    exec_sync_ends_at_its_deadline,
    exec_has_stdio,
    exec_of_a_missing_program_is_refused,
    a_client_sees_output_and_sends_input,
    a_log_that_was_moved_is_opened_anew,
    limits_are_taken_back_when_the_block_raises,
    a_running_container_is_adopted,
    an_end_that_nobody_saw_is_known,
    a_start_that_was_interrupted_is_found,
    what_never_was_is_not_adopted,
    after_a_reboot_nothing_runs,
    deleting_twice_is_a_success,
    usage_is_in_a_cgroup_or_reported,
    a_pod_has_a_first_process,
    a_detached_client_does_not_end_it,
)
