"""A container's whole message, as a kubelet sends it for the same pod."""

from __future__ import annotations

import json

import msgspec
import pytest

from podwright.agent.configs.container import ContainerConfigInputs, container_config
from podwright.agent.configs.devices import Allocation, AllottedDevice, container_devices
from podwright.agent.configs.security import MASKED_PATHS, READONLY_PATHS, ImageUser, SecurityInputs
from podwright.agent.pods.hashes import container_hash
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import InvalidArgument, NotFound
from podwright.k8s.objects import (
    ContainerPort,
    ExecAction,
    Lifecycle,
    LifecycleHandler,
    ResourceRequirements,
    VolumeDevice,
)
from tests.agent.configs.build import facts, settings
from tests.agent.fakes.pods import container, pod

SECURITY = SecurityInputs(user=ImageUser(uid=0), facts=facts(), settings=settings())
INPUTS = ContainerConfigInputs(
    attempt=3,
    image_reference="sha256:abc",
    environment={"NAME": "value", "RAW": "\udcff"},
    mounts=(api.Mount(container_path="/data", host_path="/host"),),
    security=SECURITY,
)
STOP = LifecycleHandler(exec=ExecAction(command=("stop", "now")))


def test_the_whole_message() -> None:
    which = container(
        command=("run", "$(NAME)"),
        args=("$(NONE)", "$$(NAME)"),
        working_dir="/work",
        stdin=True,
        stdin_once=True,
        tty=True,
        termination_message_path="/dev/termination-log",
        termination_message_policy="File",
        ports=(ContainerPort(name="http", container_port=80, protocol="TCP"),),
        lifecycle=Lifecycle(pre_stop=STOP, stop_signal="SIGINT"),
        resources=ResourceRequirements(requests={"cpu": "250m", "memory": "1Gi"}, limits={"memory": "2Gi"}),
    )
    config = container_config(pod(containers=(which,), grace_s=7), which, INPUTS)
    annotations = dict(config.annotations)
    assert json.loads(annotations.pop("io.kubernetes.container.preStopHandler")) == {
        "exec": {"command": ["stop", "now"]}
    }
    assert json.loads(annotations.pop("io.kubernetes.container.ports")) == [
        {"name": "http", "containerPort": 80, "protocol": "TCP"}
    ]
    assert annotations == {
        "io.kubernetes.container.hash": container_hash(which),
        "io.kubernetes.container.restartCount": "3",
        "io.kubernetes.container.terminationMessagePath": "/dev/termination-log",
        "io.kubernetes.container.terminationMessagePolicy": "File",
        "io.kubernetes.pod.deletionGracePeriod": "7",
        "io.kubernetes.pod.terminationGracePeriod": "30",
    }
    config.ClearField("annotations")
    assert config == api.ContainerConfig(
        metadata=api.ContainerMetadata(name="main", attempt=3),
        image=api.ImageSpec(image="sha256:abc", user_specified_image="registry.example/app:1"),
        command=["run", "value"],
        args=["$(NONE)", "$(NAME)"],
        working_dir="/work",
        envs=[api.KeyValue(key="NAME", value=b"value"), api.KeyValue(key="RAW", value=b"\xff")],
        mounts=INPUTS.mounts,
        labels={
            "io.kubernetes.container.name": "main",
            "io.kubernetes.pod.name": "web",
            "io.kubernetes.pod.namespace": "default",
            "io.kubernetes.pod.uid": "uid-web",
        },
        log_path="main/3.log",
        stdin=True,
        stdin_once=True,
        tty=True,
        stop_signal=api.SIGNAL_SIGINT,
        linux=api.LinuxContainerConfig(
            resources=api.LinuxContainerResources(
                cpu_shares=256,
                cpu_period=100_000,
                memory_limit_in_bytes=2 << 30,
                oom_score_adj=875,
                hugepage_limits=[api.HugepageLimit(page_size="1GB"), api.HugepageLimit(page_size="2MB")],
            ),
            security_context=api.LinuxContainerSecurityContext(
                namespace_options=api.NamespaceOption(
                    pid=api.NamespaceMode.CONTAINER,
                    userns_options=api.UserNamespace(mode=api.NamespaceMode.NODE),
                ),
                run_as_user=api.Int64Value(value=0),
                masked_paths=MASKED_PATHS,
                readonly_paths=READONLY_PATHS,
                seccomp=api.SecurityProfile(profile_type=api.SecurityProfile.Unconfined),
            ),
        ),
    )


def test_what_is_allotted() -> None:
    which = container(volume_devices=(VolumeDevice(name="raw", device_path="/dev/block"),))
    allocation = Allocation(
        block_volumes={"raw": "/pods/u/dev"},
        read_only_volumes=frozenset({"raw"}),
        devices=(AllottedDevice(host_path="/dev/gpu0", container_path="/dev/gpu", permissions="rw"),),
        cdi_devices=("vendor.com/gpu=1",),
        annotations={"gpu": "1", "io.kubernetes.container.restartCount": "no"},
        cpus="2-3",
        memory_nodes="0",
        has_own_cpus=True,
    )
    config = container_config(pod(containers=(which,)), which, msgspec.structs.replace(INPUTS, allocation=allocation))
    assert list(config.devices) == [
        api.Device(host_path="/dev/gpu0", container_path="/dev/gpu", permissions="rw"),
        api.Device(host_path="/pods/u/dev", container_path="/dev/block", permissions="r"),
    ]
    assert [device.name for device in config.CDI_devices] == ["vendor.com/gpu=1"]
    assert config.annotations["gpu"] == "1"
    assert config.annotations["io.kubernetes.container.restartCount"] == "3"
    resources = config.linux.resources
    assert (resources.cpuset_cpus, resources.cpuset_mems, resources.cpu_quota) == ("2-3", "0", -1)


def test_raw_volumes_that_cannot_be() -> None:
    with pytest.raises(NotFound, match='cannot find volume "raw" to pass into container "main"'):
        container_devices(container(volume_devices=(VolumeDevice(name="raw", device_path="/d"),)), Allocation())
    with pytest.raises(InvalidArgument, match="error DevicePath `d` must be an absolute path"):
        container_devices(container(volume_devices=(VolumeDevice(name="raw", device_path="d"),)), Allocation())


def test_commands_must_be_text_and_signals_known() -> None:
    with pytest.raises(InvalidArgument, match="args: a variable in it holds bytes that are not UTF-8"):
        container_config(pod(), container(args=("$(RAW)",)), INPUTS)
    with pytest.raises(InvalidArgument, match="'SIGODD' is not a signal"):
        container_config(pod(), container(lifecycle=Lifecycle(stop_signal="SIGODD")), INPUTS)
