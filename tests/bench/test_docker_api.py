"""The Engine API's failures in our words, by a server that answers as Docker does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web

from podwright.bench.targets.docker_api import DockerApi
from podwright.errors import AlreadyExists, DeadlineExceeded, Internal, InvalidArgument, NotFound, Unavailable


async def answer(request: web.Request) -> web.Response:
    """The status that the path names, and what was asked."""
    status = int(request.match_info["status"])
    if status == 204:
        return web.Response(status=204)
    said = {"message": "why", "query": dict(request.query), "body": await request.text()}
    return web.json_response(said, status=status)


async def hang(_: web.Request) -> web.Response:
    """Never answer."""
    await asyncio.Event().wait()
    return web.Response()


@pytest_asyncio.fixture
async def docker(tmp_path: Path) -> AsyncIterator[DockerApi]:
    app = web.Application()
    app.router.add_route("*", "/status/{status}", answer)
    app.router.add_route("*", "/hang", hang)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.UnixSite(runner, str(tmp_path / "s")).start()
    try:
        async with DockerApi(f"unix://{tmp_path}/s") as api:
            yield api
    finally:
        await runner.cleanup()


async def test_a_question_and_its_answer(docker: DockerApi) -> None:
    said = await docker.call("POST", "/status/200", {"a": 1}, query={"x": "y z"})
    assert (said["body"], said["query"]) == ('{"a":1}', {"x": "y z"})
    assert await docker.call("POST", "/status/204") is None


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, InvalidArgument), (404, NotFound), (409, AlreadyExists), (500, Internal), (418, Internal)],
)
async def test_failures(docker: DockerApi, status: int, kind: type[Exception]) -> None:
    with pytest.raises(kind, match="why"):
        await docker.call("GET", f"/status/{status}")


async def test_no_answer_in_time(docker: DockerApi) -> None:
    with pytest.raises(DeadlineExceeded):
        await docker.call("GET", "/hang", timeout_s=0.2)


async def test_nobody_listens(tmp_path: Path) -> None:
    async with DockerApi(f"unix://{tmp_path}/none") as api:
        with pytest.raises(Unavailable):
            await api.call("GET", "/version")
