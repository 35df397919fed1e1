"""The images that the suite `pull` brings: a small one, one with large layers, one with many files, and a series.

They share no layer with what pods are started from, so that a pull brings and unpacks all of it.
"""

from __future__ import annotations

import random

from tools.images import Entry, Layer, busybox_image, image_of, layer_of
from tools.registry import Registry

SERIES = "bench/series"
SERIES_LENGTH = 50
SMALL_BYTES = 64 * 1024
LARGE_LAYERS, LARGE_LAYER_BYTES = 6, 12 * 1024 * 1024
FILES, FILE_BYTES = 5000, 2000
DESCRIPTION = (
    f"bench/small: one file of {SMALL_BYTES // 1024} KiB; bench/large: {LARGE_LAYERS} layers, each a file of "
    f"{LARGE_LAYER_BYTES // 1024**2} MiB; bench/files: a layer with {FILES} files of {FILE_BYTES} bytes; "
    "all of random words, gzip"
)
WORDS = [bytes(random.Random(seed).randbytes(12)) for seed in range(256)]


def push_pull_images(registry: Registry) -> list[str]:
    """Push them; their names without the host, the smallest first."""
    images = {
        "bench/small:1": image_of([_layer("small", SMALL_BYTES)], {}),
        "bench/large:1": image_of(
            [_layer(f"large-{number}", LARGE_LAYER_BYTES) for number in range(LARGE_LAYERS)], {}
        ),
        "bench/files:1": image_of([_many_files()], {}),
    }
    for name, image in images.items():
        registry.push(name, image)
    return list(images)


def push_series(registry: Registry, length: int = SERIES_LENGTH) -> None:
    """Images that differ in their configuration alone."""
    for number in range(length):
        registry.push(f"{SERIES}:{number}", busybox_image(Labels={"number": str(number)}))


def _layer(name: str, size_bytes: int) -> Layer:
    """One file that gzip makes about half as large, as it does with programs."""
    return layer_of([Entry(name, 0o644, "file", _text(name, size_bytes))])


def _many_files() -> Layer:
    """A tree such as a language's packages have."""
    return layer_of(
        Entry(f"lib/package{number % 100}/file{number}", 0o644, "file", _text(str(number), FILE_BYTES))
        for number in range(FILES)
    )


def _text(seed: str, size_bytes: int) -> bytes:
    """Random words, so that it compresses, and the same for the same seed."""
    source = random.Random(seed)
    return b"".join(source.choices(WORDS, k=size_bytes // len(WORDS[0]) + 1))[:size_bytes]
