"""The watcher of plug-ins with real sockets: who is registered, again, and no more."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import pytest_asyncio

from podwright.agent.plugins import registration
from podwright.agent.plugins.protocol import CSI_PLUGIN, DEVICE_PLUGIN, Plugin
from podwright.agent.plugins.watcher import PluginWatcher
from podwright.errors import InvalidArgument, Unavailable
from tests.agent.plugins.plugin import NotingHandler, RegisteringPlugin, until

GONE = ("deregister", "a.example.org")
USED = ("register", "a.example.org")


@pytest.fixture(autouse=True)
def _short_deadlines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registration, "FIRST_PAUSE_S", 0.02)
    monkeypatch.setattr(registration, "LONGEST_PAUSE_S", 0.1)


@pytest.fixture
def folder() -> Iterator[Path]:
    with TemporaryDirectory(prefix="podwright-plugins-") as name:  # a socket's path must be short
        yield Path(name) / "plugins_registry"


@pytest.fixture
def handler() -> NotingHandler:
    return NotingHandler()


@pytest_asyncio.fixture
async def watcher(folder: Path, handler: NotingHandler) -> AsyncIterator[PluginWatcher]:
    watcher = PluginWatcher(str(folder), {CSI_PLUGIN: handler})
    watcher.start()
    await until(folder.exists)
    yield watcher
    await watcher.close()


def plugin_at(folder: Path, name: str = "a.sock") -> RegisteringPlugin:
    return RegisteringPlugin(str(folder / name))


async def test_a_plugin_is_registered_and_told_so(
    folder: Path, handler: NotingHandler, watcher: PluginWatcher
) -> None:
    async with plugin_at(folder) as plugin:
        await until(lambda: plugin.told)
    assert handler.plugins == [
        Plugin(kind=CSI_PLUGIN, name="a.example.org", endpoint=plugin.path, versions=("1.0.0",))
    ]
    assert plugin.told == [(True, "")]
    await until(lambda: GONE in handler.calls)
    assert handler.calls == [("validate", "a.example.org"), USED, GONE]


async def test_one_that_is_there_already_and_one_in_a_folder_of_its_own(folder: Path, handler: NotingHandler) -> None:
    (folder / "vendor").mkdir(parents=True)
    watcher = PluginWatcher(str(folder), {CSI_PLUGIN: handler})
    async with plugin_at(folder) as first, plugin_at(folder, "vendor/b.sock") as second:
        watcher.start()
        await until(lambda: first.told and second.told)
        (folder / "later" / "still").mkdir(parents=True)
        async with plugin_at(folder, "later/still/c.sock") as third:
            await until(lambda: third.told)
    await watcher.close()


async def test_the_endpoint_is_the_one_that_the_plugin_names(
    folder: Path, handler: NotingHandler, watcher: PluginWatcher
) -> None:
    async with RegisteringPlugin(str(folder / "a.sock"), endpoint="/run/driver.sock") as plugin:
        await until(lambda: plugin.told)
    assert handler.plugins[0].endpoint == "/run/driver.sock"


async def test_a_socket_made_anew_is_a_plugin_that_came_again(
    folder: Path, handler: NotingHandler, watcher: PluginWatcher
) -> None:
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(plugin_at(folder))
        await until(lambda: first.told)
        (folder / "a.sock").unlink()
        second = await stack.enter_async_context(plugin_at(folder))
        await until(lambda: second.told)
    assert handler.calls[:5] == [("validate", "a.example.org"), USED, GONE, ("validate", "a.example.org"), USED]


async def test_a_change_of_mode_is_no_new_plugin(folder: Path, handler: NotingHandler, watcher: PluginWatcher) -> None:
    async with plugin_at(folder) as plugin, plugin_at(folder, "b.sock") as other:
        await until(lambda: plugin.told)
        (folder / "a.sock").chmod(0o600)
        (folder / "c.sock").mkdir()  # a notice, and so a reading after the change
        await until(lambda: other.told)
        assert GONE not in handler.calls


async def test_what_is_no_plugin_is_passed_over(folder: Path, handler: NotingHandler, watcher: PluginWatcher) -> None:
    (folder / "file").write_text("no socket")
    (folder / "link").symlink_to("nowhere")
    hidden = socket.socket(socket.AF_UNIX)
    hidden.bind(str(folder / ".hidden"))
    async with plugin_at(folder) as plugin:
        await until(lambda: plugin.told)
    hidden.close()
    assert [call for call, _ in handler.calls][:2] == ["validate", "register"]


async def test_kinds_that_nobody_handles_and_plugins_that_are_refused_are_told_why(
    folder: Path, handler: NotingHandler, watcher: PluginWatcher
) -> None:
    async with RegisteringPlugin(str(folder / "d.sock"), kind=DEVICE_PLUGIN) as unknown:
        await until(lambda: unknown.told)
    assert unknown.told[0][0] is False
    assert "no handler registered for plugin type: DevicePlugin" in unknown.told[0][1]
    handler.refusal = InvalidArgument("version 1.0.0 is not one of ours")
    async with plugin_at(folder) as refused:
        await until(lambda: len(refused.told) > 1)  # it is tried again
        assert refused.told[0] == (False, "RegisterPlugin error -- version 1.0.0 is not one of ours")
        handler.refusal = None
        await until(lambda: refused.told[-1][0])


@pytest.mark.parametrize("name", ["", "x" * 300])
async def test_a_name_that_none_may_have(
    folder: Path, handler: NotingHandler, watcher: PluginWatcher, name: str
) -> None:
    async with RegisteringPlugin(str(folder / "a.sock"), name=name) as plugin:
        await until(lambda: plugin.told)
    assert not plugin.told[0][0]
    assert handler.calls == []


async def test_a_handler_that_fails_is_asked_again(
    folder: Path, handler: NotingHandler, watcher: PluginWatcher
) -> None:
    handler.problem = Unavailable("the driver does not answer")
    async with plugin_at(folder) as plugin:
        await until(lambda: len(plugin.told) > 1)
        assert plugin.told[0] == (False, "RegisterPlugin error -- the driver does not answer")
        handler.problem = None
        await until(lambda: plugin.told[-1][0])
    assert handler.calls[-1] == USED or handler.calls[-1] == GONE


async def test_a_plugin_that_takes_no_notice_is_deregistered(
    folder: Path, handler: NotingHandler, watcher: PluginWatcher
) -> None:
    async with plugin_at(folder) as plugin:
        plugin.refuses_status = True
        await until(lambda: GONE in handler.calls)
        plugin.refuses_status = False
        await until(lambda: plugin.told)


async def test_a_plugin_that_hangs_holds_up_nobody_and_is_asked_again(
    folder: Path, handler: NotingHandler, watcher: PluginWatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registration, "INFO_TIMEOUT_S", 0.1)
    async with plugin_at(folder) as hanging, plugin_at(folder, "b.sock") as other:
        hanging.answer.clear()
        await until(lambda: other.told)
        hanging.answer.set()
        await until(lambda: hanging.told)


async def test_a_socket_that_goes_while_it_is_registered(
    folder: Path, handler: NotingHandler, watcher: PluginWatcher
) -> None:
    handler.ready.clear()
    async with plugin_at(folder):
        await until(lambda: USED in handler.calls)
    await until(lambda: GONE in handler.calls)


async def test_a_socket_without_a_listener_is_waited_for(
    folder: Path, handler: NotingHandler, watcher: PluginWatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("podwright.agent.plugins.connection.CONNECT_TIMEOUT_S", 0.1)
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(folder / "a.sock"))
    dead.close()
    async with plugin_at(folder, "b.sock") as other:
        await until(lambda: other.told)
    assert ("deregister", "x") not in handler.calls


async def test_the_folder_may_go_and_come_again(folder: Path, handler: NotingHandler, watcher: PluginWatcher) -> None:
    folder.rmdir()
    await until(folder.exists)
    await asyncio.sleep(0)
    async with plugin_at(folder) as plugin:
        await until(lambda: plugin.told)


async def test_closing_tells_nobody(folder: Path, handler: NotingHandler) -> None:
    watcher = PluginWatcher(str(folder), {CSI_PLUGIN: handler})
    watcher.start()
    await until(folder.exists)
    async with plugin_at(folder) as plugin:
        await until(lambda: plugin.told)
        await watcher.close()
    assert GONE not in handler.calls
