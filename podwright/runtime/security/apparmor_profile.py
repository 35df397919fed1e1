"""AppArmor profiles: the choice for a container, and the text of ours. Pure."""

from __future__ import annotations

from podwright.errors import FailedPrecondition
from podwright.runtime.model.base import ProfileType
from podwright.runtime.model.container import ContainerSecurity
from podwright.runtime.model.sandbox import SandboxSecurity


def profile_name(security: ContainerSecurity | SandboxSecurity, *, default: str, supported: bool) -> str:
    """The profile's name. Empty means unconfined.

    `default` also applies without a request. On a host without AppArmor the runtime's default means none, because a
    kubelet requests it by default. A Localhost profile fails there. Raises FailedPrecondition.
    """
    wanted = security.apparmor
    if security.privileged or (wanted is not None and wanted.kind is ProfileType.UNCONFINED):
        return ""
    if wanted is not None and wanted.kind is ProfileType.LOCALHOST:
        if not supported:
            raise FailedPrecondition("apparmor is not supported on this host", hint="remove the profile")
        return wanted.localhost_ref.removeprefix("localhost/")
    return default if supported else ""


def loaded_names(text: str) -> frozenset[str]:
    """The names in securityfs' `profiles` file, whose lines look like `name (enforce)`."""
    return frozenset(name for line in text.splitlines() if (name := line.rpartition(" (")[0]))


def default_profile(name: str) -> str:
    """The text of our default profile (apparmor.d(5)) for apparmor_parser.

    It allows what capabilities and seccomp allow, except for mounts and for access to the host through /proc and
    /sys. Containers may signal and trace each other, and receive signals from the host.
    """
    return f"""\
profile {name} flags=(attach_disconnected, mediate_deleted) {{
  capability,
  file,
  network,
  umount,

  signal (send, receive) peer={name},
  signal (receive) peer=unconfined,
  signal (receive) peer=crun,
  signal (receive) peer=runc,
  ptrace (trace, tracedby, read, readby) peer={name},

  deny mount,
  deny /proc/{{kcore,kmem,mem,sysrq-trigger}} rwklx,
  deny /proc/{{acpi,bus,fs,irq,scsi}}/** wklx,
  deny /proc/sys/fs/binfmt_misc/** wklx,
  deny /proc/sys/kernel/{{core_pattern,hotplug,modprobe,poweroff_cmd}} wklx,
  deny /proc/sys/kernel/usermodehelper/** wklx,
  deny /proc/sys/vm/** wklx,
  deny /sys/{{block,bus,class,dev,devices,hypervisor,kernel,module,power}}/** wklx,
  deny /sys/fs/{{bpf,ext4,pstore,selinux,smackfs,xfs}}/** wklx,
  deny /sys/{{firmware,kernel/security,devices/virtual/powercap}}/** rwklx,
}}
"""
