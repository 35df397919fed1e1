"""Images: pull and unpack, list, remove, and how these grow with the number of images."""

from __future__ import annotations

import asyncio
import os
import time

from podwright.bench.suites.base import Bench, seconds_since
from podwright.bench.timing import timed_ms

LISTS = 5


async def measure(bench: Bench) -> None:
    """Raises a PodwrightError. Pulled images are removed in any case."""
    if not bench.options.pull_images:
        bench.sheet.gap("pulls: no image to pull was given")
    for index, image in enumerate(bench.options.pull_images, 1):
        await _pulls(bench, image, index)
    if bench.options.image_series:
        await _series(bench)
    else:
        bench.sheet.gap("growth with images: no series of images was given")


async def _pulls(bench: Bench, image: str, index: int) -> None:
    """The image is removed before each pull, so that each one fetches everything."""
    for _ in range(bench.options.pulls):
        await bench.target.remove_image(image)
        await asyncio.to_thread(os.sync)  # so that no pull pays for earlier writes
        try:
            _, pull_ms = await timed_ms(bench.target.pull(image))
            bench.sheet.add("pull", pull_ms, at={"image": index})
        finally:
            _, remove_ms = await timed_ms(bench.target.remove_image(image))
        bench.sheet.add("remove image", remove_ms, at={"image": index})


async def _series(bench: Bench) -> None:
    """Small images that share their layer, so that only the number of records grows."""
    pulled: list[str] = []
    try:
        for step in bench.options.image_steps:
            began = time.perf_counter()
            while len(pulled) < step:
                pulled.append(f"{bench.options.image_series}:{len(pulled)}")
                _, pull_ms = await timed_ms(bench.target.pull(pulled[-1]))
                bench.sheet.add("pull of a known layer", pull_ms, at={"up_to_images": step})
            for _ in range(LISTS):
                _, list_ms = await timed_ms(bench.target.list_images())
                bench.sheet.add("list images", list_ms, at={"images": step})
            if seconds_since(began) > bench.options.step_limit_s:
                bench.sheet.gap(f"more than {step} images: it took {seconds_since(began):.0f} s")
                break
    finally:
        for image in pulled:
            await bench.target.remove_image(image)
