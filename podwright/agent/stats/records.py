"""The Summary API's values (k8s.io/kubelet stats v1alpha1), with its names in JSON.

Sizes are bytes, durations nanoseconds. None: neither this host nor the runtime reports the value. The API's times are
whole seconds. Here they are as measured.
"""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from podwright.k8s.times import format_time


class Moment(datetime):
    """A time that is encoded as the API writes it."""


def moment(nanoseconds: int) -> Moment:
    """The moment of that many nanoseconds since the epoch."""
    return Moment.fromtimestamp(nanoseconds / 1e9, tz=UTC)


class SummaryRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel", gc=False):
    """A part of the summary."""


class SummaryPsi(SummaryRecord, frozen=True, kw_only=True, omit_defaults=False):
    """One line of a pressure file: percent of time, and nanoseconds in all."""

    total: int = 0
    avg10: float = 0.0
    avg60: float = 0.0
    avg300: float = 0.0


class Psi(SummaryRecord, frozen=True, kw_only=True, omit_defaults=False):
    """Stalls of all tasks at once (full), and of at least one (some)."""

    full: SummaryPsi = SummaryPsi()
    some: SummaryPsi = SummaryPsi()


class SummaryCpu(SummaryRecord, frozen=True, kw_only=True):
    """`usage_nano_cores` is a rate, `usage_core_nano_seconds` a sum."""

    time: Moment
    usage_nano_cores: int | None = None
    usage_core_nano_seconds: int | None = None
    psi: Psi | None = None


class SummaryMemory(SummaryRecord, frozen=True, kw_only=True):
    """`available_bytes` is the rest up to the limit, None without one. Eviction counts the working set."""

    time: Moment
    available_bytes: int | None = None
    usage_bytes: int | None = None
    working_set_bytes: int | None = None
    rss_bytes: int | None = None
    page_faults: int | None = None
    major_page_faults: int | None = None
    psi: Psi | None = None


class Swap(SummaryRecord, frozen=True, kw_only=True):
    """`swap_available_bytes` is None without a limit."""

    time: Moment
    swap_available_bytes: int | None = None
    swap_usage_bytes: int | None = None


class Io(SummaryRecord, frozen=True, kw_only=True):
    """I/O: only its pressure."""

    time: Moment
    psi: Psi | None = None


class Fs(SummaryRecord, frozen=True, kw_only=True):
    """A filesystem: its size (`capacity_bytes`, `inodes`), what is free, and what the subject uses."""

    time: Moment
    available_bytes: int | None = None
    capacity_bytes: int | None = None
    used_bytes: int | None = None
    inodes_free: int | None = None
    inodes: int | None = None
    inodes_used: int | None = None


class PvcReference(SummaryRecord, frozen=True, kw_only=True):
    """A PersistentVolumeClaim."""

    name: str
    namespace: str


class VolumeHealth(SummaryRecord, frozen=True, kw_only=True, omit_defaults=False):
    """A driver's report about a volume's state."""

    abnormal: bool


class SummaryVolume(SummaryRecord, frozen=True, kw_only=True):
    """A volume of a pod: the fields of `Fs`, and its name."""

    time: Moment
    available_bytes: int | None = None
    capacity_bytes: int | None = None
    used_bytes: int | None = None
    inodes_free: int | None = None
    inodes: int | None = None
    inodes_used: int | None = None
    name: str = ""
    pvc_ref: PvcReference | None = None
    volume_health_stats: VolumeHealth | None = None


class Interface(SummaryRecord, frozen=True, kw_only=True):
    """Counters of one network interface."""

    name: str
    rx_bytes: int | None = None
    rx_errors: int | None = None
    tx_bytes: int | None = None
    tx_errors: int | None = None


class SummaryNetwork(SummaryRecord, frozen=True, kw_only=True):
    """The default interface (with an empty name if there is none), and all interfaces."""

    time: Moment
    name: str
    rx_bytes: int | None = None
    rx_errors: int | None = None
    tx_bytes: int | None = None
    tx_errors: int | None = None
    interfaces: tuple[Interface, ...] = ()


class SummaryProcesses(SummaryRecord, frozen=True, kw_only=True):
    """The number of processes."""

    process_count: int | None = msgspec.field(name="process_count", default=None)


class SummaryContainer(SummaryRecord, frozen=True, kw_only=True):
    """A container, or a part of the system such as `kubelet`."""

    name: str
    start_time: Moment
    cpu: SummaryCpu | None = None
    memory: SummaryMemory | None = None
    io: Io | None = None
    rootfs: Fs | None = None
    logs: Fs | None = None
    swap: Swap | None = None


class PodReference(SummaryRecord, frozen=True, kw_only=True, omit_defaults=False):
    """The identity of a pod."""

    name: str
    namespace: str
    uid: str


class PodStats(SummaryRecord, frozen=True, kw_only=True):
    """A pod. `ephemeral_storage` counts against its limits: layers, logs, volumes on the node's disk."""

    pod_ref: PodReference
    start_time: Moment
    containers: tuple[SummaryContainer, ...]
    cpu: SummaryCpu | None = None
    memory: SummaryMemory | None = None
    io: Io | None = None
    network: SummaryNetwork | None = None
    volume_stats: tuple[SummaryVolume, ...] = msgspec.field(name="volume", default=())
    ephemeral_storage: Fs | None = msgspec.field(name="ephemeral-storage", default=None)
    process_stats: SummaryProcesses | None = msgspec.field(name="process_stats", default=None)
    swap: Swap | None = None


class RuntimeFilesystems(SummaryRecord, frozen=True, kw_only=True):
    """The filesystems of images and of containers' layers."""

    image_fs: Fs | None = None
    container_fs: Fs | None = None


class Rlimit(SummaryRecord, frozen=True, kw_only=True):
    """Process ids: the limit, and the number of tasks."""

    time: Moment
    maxpid: int | None = None
    curproc: int | None = None


class NodeStats(SummaryRecord, frozen=True, kw_only=True):
    """The node."""

    node_name: str
    start_time: Moment
    system_containers: tuple[SummaryContainer, ...] = ()
    cpu: SummaryCpu | None = None
    memory: SummaryMemory | None = None
    io: Io | None = None
    network: SummaryNetwork | None = None
    fs: Fs | None = None
    runtime: RuntimeFilesystems | None = None
    rlimit: Rlimit | None = None
    swap: Swap | None = None


class Summary(SummaryRecord, frozen=True, kw_only=True, omit_defaults=False):
    """The answer of /stats/summary."""

    node: NodeStats
    pods: tuple[PodStats, ...]


def encode(summary: Summary) -> bytes:
    """The summary as JSON."""
    return _ENCODER.encode(summary)


def _encode_time(value: object) -> str:
    if isinstance(value, Moment):
        return format_time(value)
    raise NotImplementedError(f"{type(value)} has no form on the wire")


_ENCODER = msgspec.json.Encoder(enc_hook=_encode_time)
