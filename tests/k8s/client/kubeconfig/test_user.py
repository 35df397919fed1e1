"""When the files of a user's credentials are looked at."""

from __future__ import annotations

from pathlib import Path

from podwright.k8s.client.kubeconfig.model import KubeUser
from podwright.k8s.client.kubeconfig.user import LOOK_EVERY_S, UserCredentials


async def test_files_are_looked_at_once_a_second_and_when_refused(tmp_path: Path) -> None:
    clock = [100.0]
    token = tmp_path / "token"
    token.write_text("one")
    credentials = UserCredentials(KubeUser(token_file=str(token)), "user u", now=lambda: clock[0])

    async def shown() -> str:
        return (await credentials.identity()).headers["Authorization"]

    assert await shown() == "Bearer one"
    token.write_text("second")
    assert await shown() == "Bearer one"
    clock[0] += LOOK_EVERY_S
    assert await shown() == "Bearer second"
    token.write_text("a third")
    assert await shown() == "Bearer second"
    assert credentials.refused(await credentials.identity())
    assert await shown() == "Bearer a third"
    assert not credentials.refused(await credentials.identity())
