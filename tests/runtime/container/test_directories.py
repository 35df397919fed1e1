"""The daemon's own directories may have any name, as far as the OCI runtimes and conmon allow."""

from __future__ import annotations

import pytest

from podwright.conformance.streams import Given, Speech, streamed_exec
from tests.faults.node import running_node
from tests.fixtures import FreshPodwright

pytestmark = [pytest.mark.root]


@pytest.mark.parametrize("handler", ["crun", "runc"])
async def test_names_beyond_ascii(fresh_podwright: FreshPodwright, busybox_image: str, handler: str) -> None:
    server = fresh_podwright(start=False)
    server.root, server.state = server.directory / "Büchse", server.directory / "コンテナ"
    server.start()
    async with running_node(server, busybox_image) as node:
        pod = await node.pod(handler=handler)
        container_id = await pod.run()
        assert (await pod.exec(container_id, "echo", "hi")).stdout == b"hi\n"
        for tty in (False, True):
            done = await streamed_exec(pod, container_id, "cat", speech=Speech(), stdin=Given(b"x\n\x04"), tty=tty)
            assert done.outcome.exit_code == 0
        await node.reborn()
        await pod.stop(container_id)
        assert (await pod.status(container_id)).exit_code == 0
        await node.emptied()
