"""The images that the suite `pull` brings: a Debian root in twelve layers, many small files, and a series.

They share no layer with what pods are started from, so that a pull brings and unpacks all of it.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from tools.images import busybox_image, image_of, layer_of_tar
from tools.pull_bench.content import LAYERS, ROOT_BYTES, SMALL_FILES, debian_root, small_files, split, tar_of_files
from tools.registry import Registry

SERIES = "bench/series"
SERIES_LENGTH = 50
DESCRIPTION = (
    f"bench/debian: {ROOT_BYTES >> 20} MiB of this machine's Debian packages in {LAYERS} layers; "
    f"bench/files: a layer with {SMALL_FILES} small files"
)


def push_pull_images(registry: Registry) -> list[str]:
    """Push them; their names without the host. Takes half a minute."""
    parts = split(debian_root(), LAYERS)
    with ThreadPoolExecutor(2) as pool:
        layers = pool.map(lambda paths: layer_of_tar(tar_of_files(paths)), parts)
        images = {
            "bench/debian:1": image_of(list(layers), {}),
            "bench/files:1": image_of([layer_of_tar(small_files())], {}),
        }
    for name, image in images.items():
        registry.push(name, image)
    return list(images)


def push_series(registry: Registry, length: int = SERIES_LENGTH) -> None:
    """Images that differ in their configuration alone."""
    for number in range(length):
        registry.push(f"{SERIES}:{number}", busybox_image(Labels={"number": str(number)}))
