"""The options that a shim's runtime gets with each container, from the handler's configuration."""

from __future__ import annotations

import msgspec
from google.protobuf.any_pb2 import Any as AnyMessage

from podwright.linux.sealed import SealedProgram
from podwright.runtime.config import ShimOptions
from podwright.runtime.handlers.shim.api import shim_pb2 as pb
from podwright.runtime.handlers.shim.bootstrap import packed

RUNC_TYPE, OTHER_TYPE = "containerd.runc.v1.Options", "runtimeoptions.v1.Options"
CHECKPOINT_TYPE = "containerd.runc.v1.CheckpointOptions"


class ShimRuntimeOptions(msgspec.Struct, kw_only=True):
    """What is the same for all containers. `root` is where an OCI runtime keeps its state, unless `given` says so.

    `sealed` is the copy that the OCI runtime is to be run from, once it is known to be one that copies itself.
    """

    is_runc: bool
    given: ShimOptions
    root: str
    systemd_cgroup: bool
    sealed: SealedProgram | None = None

    @property
    def binary(self) -> str:
        """The OCI runtime of a runc shim."""
        return self.given.binary_name or "runc"

    def of(self, owner: tuple[int, int] = (0, 0)) -> AnyMessage | None:
        """The message. None when there is nothing to say.

        `owner` is the user and the group, on the host, of the container's processes: its pipes belong to them.
        """
        given = self.given
        if self.is_runc:
            message = pb.RuncOptions(
                no_pivot_root=given.no_pivot_root,
                no_new_keyring=given.no_new_keyring,
                shim_cgroup=given.shim_cgroup,
                io_uid=owner[0],
                io_gid=owner[1],
                binary_name=self.sealed.path() if self.sealed is not None else given.binary_name,
                root=given.root or self.root,
                systemd_cgroup=self.systemd_cgroup,
                criu_image_path=given.criu_image_path,
                criu_work_path=given.criu_work_path,
            )
            return packed(RUNC_TYPE, message)
        if not (given.config_path or given.config_body):
            return None
        other = pb.RuntimeOptions(
            type_url=given.type_url, config_path=given.config_path, config_body=given.config_body.encode()
        )
        return packed(OTHER_TYPE, other)

    def of_checkpoint(self, images: str, work: str) -> AnyMessage | None:
        """Those of a checkpoint after which the container continues."""
        if not self.is_runc:
            return None
        message = pb.RuncCheckpointOptions(exit=False, file_locks=True, image_path=images, work_path=work)
        return packed(CHECKPOINT_TYPE, message)
