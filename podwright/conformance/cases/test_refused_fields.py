"""What cannot be given is refused: nobody is left to believe that a field was heeded which was passed over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from podwright.conformance.peer import CriPeer
from podwright.conformance.pods import CasePod, remove_pod, sandbox_config
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import InvalidArgument, PodwrightError

Change = Callable[[api.PodSandboxConfig], None]
LOCALHOST = api.SecurityProfile(profile_type=api.SecurityProfile.Localhost, localhost_ref="/no/such/profile.json")


def _namespaces(**modes: object) -> Change:
    wanted = api.NamespaceOption(**modes)  # type: ignore[arg-type] # keywords
    return lambda config: config.linux.security_context.namespace_options.CopyFrom(wanted)


def _security(**fields: object) -> Change:
    wanted = api.LinuxSandboxSecurityContext(**fields)  # type: ignore[arg-type] # as above
    return lambda config: config.linux.security_context.CopyFrom(wanted)


def _dns(**fields: list[str]) -> Change:
    return lambda config: config.dns_config.CopyFrom(api.DNSConfig(**fields))


def _windows(config: api.PodSandboxConfig) -> None:
    config.windows.security_context.run_as_username = "ContainerUser"


@pytest.mark.deviates("containerd", "passes over such fields")
@pytest.mark.parametrize(
    "change",
    [
        _windows,
        _namespaces(network=api.CONTAINER),
        _namespaces(ipc=api.CONTAINER),
        _namespaces(pid=api.CONTAINER, target_id="f" * 64),
        _security(run_as_user=api.Int64Value(value=-1)),
        _security(supplemental_groups=[2**31]),
        _security(supplemental_groups_policy=7),
        _security(seccomp=LOCALHOST),
        _dns(servers=["10.9.9.9\nsearch evil.example"]),
        _dns(options=["ndots:5 rotate"]),
    ],
    ids=[
        "windows", "network", "ipc", "target", "user", "groups", "groups-policy", "seccomp", "dns-lines", "dns-words",
    ],
)  # fmt: skip
@pytest.mark.deviates("cri-o", "passes over such fields")
async def test_for_a_pod(cri_server: CriPeer, change: Change) -> None:
    cri = cri_server.client
    config = sandbox_config(cri_server)
    change(config)
    try:
        with pytest.raises(InvalidArgument):
            await cri.call(cri.runtime.RunPodSandbox, api.RunPodSandboxRequest(config=config))
    finally:
        listed = await cri.call(cri.runtime.ListPodSandbox, api.ListPodSandboxRequest())
        for item in listed.items:
            if item.metadata == config.metadata:
                await remove_pod(cri, item.id)


def _mount(**fields: object) -> dict[str, object]:
    return {"mounts": [api.Mount(container_path="/mnt", **fields)]}  # type: ignore[arg-type] # keywords


def _container(**fields: object) -> dict[str, object]:
    context = api.LinuxContainerSecurityContext(**fields)  # type: ignore[arg-type] # as above
    return {"linux": api.LinuxContainerConfig(security_context=context)}


def _modes(**modes: object) -> dict[str, object]:
    return _container(namespace_options=api.NamespaceOption(pid=api.CONTAINER, **modes))  # type: ignore[arg-type] # as above


WINDOWS = api.WindowsContainerConfig(security_context=api.WindowsContainerSecurityContext(host_process=True))


@pytest.mark.deviates("containerd", "passes over such fields")
@pytest.mark.parametrize(
    "fields",
    [
        {"windows": WINDOWS},
        _mount(host_path="/usr", image=api.ImageSpec()),
        _mount(host_path="/usr", mount_options=["exec"]),
        _container(masked_paths=["etc/passwd"]),
        _container(readonly_paths=["../etc"]),
        _modes(ipc=api.NODE),
        _modes(ipc=api.CONTAINER),
        _modes(network=api.NODE),
        _modes(network=api.TARGET),
        _modes(target_id="f" * 64),
    ],
    ids=[
        "windows", "no-image", "mount-option", "masked", "read-only", "hosts-ipc", "own-ipc",
        "hosts-network", "targets-network", "target",
    ],
)  # fmt: skip
@pytest.mark.deviates("cri-o", "passes over such fields")
async def test_for_a_container(pod: CasePod, fields: dict[str, object]) -> None:
    with pytest.raises(PodwrightError):
        await pod.create(**fields)  # type: ignore[arg-type] # keywords
    listed = await pod.cri.call(
        pod.cri.runtime.ListContainers, api.ListContainersRequest(filter=api.ContainerFilter(pod_sandbox_id=pod.id))
    )
    assert not listed.containers


@pytest.mark.deviates("cri-o", "passes over the field")
@pytest.mark.deviates("containerd", "1.6 came before the field")
async def test_an_image_for_a_handler_that_is_not_there(pod: CasePod, image: str) -> None:
    cri, spec = pod.cri, api.ImageSpec(image=image, runtime_handler="no-such-handler")
    mount = api.Mount(container_path="/mnt", image=spec, readonly=True)
    outcomes = await asyncio.gather(
        cri.call(cri.images.PullImage, api.PullImageRequest(image=spec)),
        cri.call(cri.images.ImageStatus, api.ImageStatusRequest(image=spec)),
        cri.call(cri.images.RemoveImage, api.RemoveImageRequest(image=spec)),
        pod.create(name="root", image=spec),
        pod.create(name="volume", mounts=[mount]),
        return_exceptions=True,
    )
    assert [type(outcome) for outcome in outcomes] == [InvalidArgument] * 5
    assert all("no-such-handler" in str(outcome) for outcome in outcomes)
    status = await cri.call(cri.images.ImageStatus, api.ImageStatusRequest(image=api.ImageSpec(image=image)))
    assert status.HasField("image")


@pytest.mark.deviates("cri-o", "passes over the section")
@pytest.mark.deviates("containerd", "passes over the section")
async def test_limits_for_windows(pod: CasePod) -> None:
    request = api.UpdateContainerResourcesRequest(
        container_id=await pod.run(),
        linux=api.LinuxContainerResources(cpu_shares=64),
        windows=api.WindowsContainerResources(cpu_shares=64),
    )
    with pytest.raises(InvalidArgument):
        await pod.cri.call(pod.cri.runtime.UpdateContainerResources, request)


@pytest.mark.deviates("cri-o", "creates the container, and cannot start it")
@pytest.mark.deviates("containerd", "creates the container, and cannot start it")
async def test_a_nul_in_a_variable_is_refused_by_the_variables_name(pod: CasePod) -> None:
    """Its value may be a secret, and is not told."""
    envs = [api.KeyValue(key="PLAIN", value=b"x"), api.KeyValue(key="SECRET", value=b"pass\0word")]
    with pytest.raises(InvalidArgument, match="SECRET") as refused:
        await pod.create(envs=envs)
    assert "pass" not in str(refused.value)
