"""The images of the pull bench: a Debian root in one layer and in twelve, and 20,000 small files.

The root consists of files of this machine's own Debian packages, by priority and name, so equal machines give equal
digests. Pure but for reading these files.
"""

from __future__ import annotations

import gzip
import io
import os
import random
import stat
import subprocess
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from tools.images import MTIME_S, PATH_VARIABLE, Entry, Image, Layer, digest_of, image_of, tar_of

ROOT_BYTES = 300 << 20
PACKAGE_LIMIT_BYTES = 24 << 20  # no compiler or VM among them: many files of usual size
LAYERS = 12
SMALL_FILES = 20_000
SMALL_FILE_BYTES = 3 << 10
FILES_PER_DIRECTORY = 100
GZIP_LEVEL = 6  # what docker build and buildah use
PRIORITIES = ("required", "important", "standard", "optional", "extra")


def debian_root(limit_bytes: int = ROOT_BYTES) -> list[list[str]]:
    """Packages' files and directories, as absolute paths, one list a package, until `limit_bytes` are reached."""
    chosen: list[list[str]] = []
    taken: set[str] = set()
    total = 0
    for name in _packages():
        listing = subprocess.run(["dpkg-query", "-L", name], check=True, capture_output=True, text=True).stdout
        paths = [path for path in _real_paths(listing.splitlines()) if path not in taken]
        size = sum(os.lstat(path).st_size for path in paths if os.path.isfile(path))
        if not paths or size > PACKAGE_LIMIT_BYTES:
            continue
        chosen.append(paths)
        taken.update(path for path in paths if not os.path.isdir(path))
        total += size
        if total >= limit_bytes:
            break
    return chosen


def _packages() -> list[str]:
    """Installed packages, the most basic first."""
    listing = subprocess.run(
        ["dpkg-query", "-W", "-f=${Priority} ${binary:Package} ${db:Status-Status}\\n"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    rows = [line.split() for line in listing.splitlines()]
    ranked = [(PRIORITIES.index(row[0]), row[1]) for row in rows if row[0] in PRIORITIES and row[2:] == ["installed"]]
    return [name for _, name in sorted(ranked)]


def _real_paths(listed: Iterable[str]) -> Iterator[str]:
    """The real paths of the files, because /bin and /lib are links. Leaves out what is gone or cannot be packed."""
    for path in listed:
        folder, _, base = path.rpartition("/")
        real = f"{os.path.realpath(folder or '/').rstrip('/')}/{base}"
        if base and os.path.lexists(real) and stat.S_IFMT(os.lstat(real).st_mode) in _PACKED:
            yield real


_PACKED = (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK)


def tar_of_files(paths: Iterable[str]) -> bytes:
    """A tar of existing files and all directories above them, by name."""
    wanted = set(paths)
    for path in list(wanted):
        while path := path.rpartition("/")[0]:
            wanted.add(path)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in sorted(wanted):
            archive.inodes = {}  # type: ignore[attr-defined] # otherwise files linked on this machine would be links
            member = archive.gettarinfo(path)
            member.mtime = int(member.mtime)
            if member.isreg():
                with open(path, "rb") as file:
                    archive.addfile(member, file)
            else:
                archive.addfile(member)
    return buffer.getvalue()


def small_files() -> bytes:
    """A tar of SMALL_FILES text files that compress about as source code does."""
    source = random.Random(1)  # no secret: the same files each time
    words = [bytes(source.choices(b"abcdefghijklmnopqrstuvwxyz_(){}", k=source.randint(2, 11))) for _ in range(4000)]
    entries = []
    for number in range(SMALL_FILES):
        folder, rest = divmod(number, FILES_PER_DIRECTORY)
        if not rest:
            entries.append(Entry(f"data/{folder:03}", 0o755, "dir"))
        text = b" ".join(source.choices(words, k=SMALL_FILE_BYTES // 7))[:SMALL_FILE_BYTES]
        entries.append(Entry(f"data/{folder:03}/file{rest:02}.txt", 0o644, "file", text))
    return tar_of([Entry("data", 0o755, "dir"), *entries])


def split(packages: Sequence[Sequence[str]], parts: int) -> list[list[str]]:
    """The same files in so many parts of about the same size."""
    sizes = [sum(os.lstat(path).st_size for path in paths if os.path.isfile(path)) for paths in packages]
    result: list[list[str]] = [[] for _ in range(parts)]
    so_far, total = 0, sum(sizes)
    for paths, size in zip(packages, sizes, strict=True):
        result[min(parts - 1, so_far * parts // total)] += paths
        so_far += size
    return result


def build() -> dict[str, Image]:
    """All images by `repository:tag`. Takes a minute of two CPUs and 1 GiB of memory."""
    packages = debian_root()
    tars = [tar_of_files(path for paths in packages for path in paths)]
    tars += [tar_of_files(part) for part in split(packages, LAYERS)]
    tars += [
        tar_of([Entry("opt", 0o755, "dir"), Entry("opt/app", 0o755, "file", random.Random(2).randbytes(4 << 20))])
    ]
    tars += [small_files()]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        whole, *rest = pool.map(_layer, tars)
    parts, own, small = rest[:LAYERS], rest[LAYERS], rest[LAYERS + 1]
    config = {"Env": [PATH_VARIABLE], "Cmd": ["bash"]}
    return {
        "debian:1": image_of([whole], config),
        f"debian:{LAYERS}": image_of(parts, config),
        "debian:next": image_of([*parts[:-1], own], config),
        "small:1": image_of([small], config),
        "tiny:1": image_of([_layer(tar_of([Entry("tiny", 0o644, "file", b"%d" % MTIME_S)]))], config),
    }


def _layer(tar: bytes) -> Layer:
    return Layer(blob=gzip.compress(tar, GZIP_LEVEL, mtime=0), diff_id=digest_of(tar))
