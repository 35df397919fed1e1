"""Disk images, made once for the same inputs and kept below build/vm/images."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tools.vm.failure import VmError
from tools.vm.mirror import configured_sources
from tools.vm.process import run_logged
from tools.vm.recipe import FILES, HOST_KEY, Inputs, disk_argv, fingerprint, installed_from, mmdebstrap_argv
from tools.vm.systems import System
from tools.vm.wheels import make_wheelhouse

# Of the tree, what the image's content hangs on; the rest is copied into the running guest.
TREE_FILES = ("requirements.lock", "pyproject.toml", "README.md", "tools/setup.sh", "podwright/__init__.py")
BOOTSTRAP_TIMEOUT_S = 3000.0
DISK_TIMEOUT_S = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A folder with a disk, its kernel, the keys to log in with, and the files that the disk was made of."""

    folder: Path

    @property
    def disk(self) -> Path:
        """An ext4 filesystem; never written to, each guest has an overlay."""
        return self.folder / "disk.img"

    @property
    def kernel(self) -> Path:
        """The release's own."""
        return self.folder / "vmlinuz"

    @property
    def initrd(self) -> Path:
        """That kernel's."""
        return self.folder / "initrd.img"

    @property
    def key(self) -> Path:
        """The private key that root's login takes."""
        return self.folder / "login"

    @property
    def known_hosts(self) -> Path:
        """The guest's public key, for every address."""
        return self.folder / "known_hosts"

    @property
    def root(self) -> Path:
        """The system as a directory: its programs run here too, at this machine's speed."""
        return self.folder / "system" / "root"

    @property
    def packages(self) -> Path:
        """Its packages and their versions, a line each."""
        return self.folder / "packages"


def image_for(system: System, tree: Path, images: Path) -> Image:
    """The kept image of the system, or a new one (some minutes). Older ones of the system go. Raises VmError."""
    inputs = Inputs(
        system=system,
        sources=configured_sources(system.suite),
        files=installed_from({name: (tree / name).read_text() for name in TREE_FILES}),
    )
    image = Image(folder=images / f"{system.name}-{fingerprint(inputs)}")
    if not image.folder.exists():
        images.mkdir(parents=True, exist_ok=True)
        for older in images.glob(f"{system.name}-*"):
            shutil.rmtree(older)
        _make(inputs, tree, image)
    return image


def _make(inputs: Inputs, tree: Path, image: Image) -> None:
    print(f"making {image.folder} with mmdebstrap", flush=True)
    with _unfinished(image.folder) as folder:
        new = Image(folder=folder)
        root, stage = new.root, folder / "stage"
        root.parent.mkdir(mode=0o700)  # there are programs of root's with the set-user-ID bit in it
        root.mkdir()
        _stage(inputs, tree, stage, folder)
        argv = mmdebstrap_argv(inputs, stage=stage, root=root)
        log = image.folder.parent / f"{inputs.system.name}.log"
        run_logged(argv, log, timeout_s=BOOTSTRAP_TIMEOUT_S, what="mmdebstrap")
        shutil.copy(_only(root, "boot/vmlinuz-*"), new.kernel)
        shutil.copy(_only(root, "boot/initrd.img-*"), new.initrd)
        query = ("dpkg-query", f"--admindir={root}/var/lib/dpkg", "-W")
        new.packages.write_text(subprocess.run(query, check=True, capture_output=True, text=True, timeout=60).stdout)
        run_logged(disk_argv(root, new.disk), log, timeout_s=DISK_TIMEOUT_S, what="mke2fs")
        shutil.rmtree(stage)


def _stage(inputs: Inputs, tree: Path, stage: Path, folder: Path) -> None:
    """Collect the files that are copied into the image."""
    new = Image(folder=folder)
    host_key = folder / "host"
    for key in (new.key, host_key):
        keygen = ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "vm-test", "-f", str(key))
        subprocess.run(keygen, check=True, stdin=subprocess.DEVNULL, timeout=60)
    public = host_key.with_suffix(".pub")
    new.known_hosts.write_text(f"* {public.read_text()}")
    files = {
        **FILES,
        HOST_KEY: host_key.read_text(),
        "/root/.ssh/authorized_keys": new.key.with_suffix(".pub").read_text(),
    }
    for name, text in files.items():
        _write(stage / "files" / name.lstrip("/"), text)
    for private in (HOST_KEY, "/root/.ssh/authorized_keys"):
        (stage / "files" / private.lstrip("/")).chmod(0o600)
    for name, text in inputs.files.items():
        _write(stage / "tree" / name, text)
    make_wheelhouse(tree / "requirements.lock", stage / "wheels", inputs.system.python)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@contextlib.contextmanager
def _unfinished(folder: Path) -> Iterator[Path]:
    """A folder that gets its name when all has gone well, and is removed otherwise."""
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".new-") as temporary:
        made = Path(temporary, "image")
        made.mkdir()
        yield made
        os.rename(made, folder)


def _only(root: Path, pattern: str) -> Path:
    found = list(root.glob(pattern))
    if len(found) != 1:
        raise VmError(f"the new system has {len(found)} files {pattern}, not one")
    return found[0]
