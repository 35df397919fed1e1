"""What each plug-in plans for its volume."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from podwright.agent.volumes.plans import EmptyDirPlan, FilesPlan, HostPathPlan, ImagePlan, MemoryFilesystem
from podwright.agent.volumes.plugins.protocol import AnyPlan, VolumeRequest
from podwright.agent.volumes.plugins.registry import KINDS, Plugins, kind_of
from podwright.errors import PodwrightError, Unimplemented
from podwright.k8s.objects import (
    ClusterTrustBundleProjection,
    ConfigMapProjection,
    ConfigMapVolumeSource,
    DownwardAPIProjection,
    DownwardAPIVolumeFile,
    DownwardAPIVolumeSource,
    EmptyDirVolumeSource,
    HostPathVolumeSource,
    ImageVolumeSource,
    ISCSIVolumeSource,
    KeyToPath,
    ObjectFieldSelector,
    Pod,
    ProjectedVolumeSource,
    ResourceFieldSelector,
    ResourceRequirements,
    Secret,
    SecretProjection,
    SecretVolumeSource,
    ServiceAccountTokenProjection,
    Volume,
    VolumeMount,
    VolumeProjection,
)
from tests.agent.fakes.pods import container
from tests.agent.volumes.build import ALLOCATABLE_BYTES, MemoryObjects, config_map, pod_with, ports, secret

DIRECTORY = "/k/pods/uid-web"
OBJECTS = (config_map("settings", color="red", size="1"), secret("keys", token=b"t0p"))


def planned(volume: Volume, *objects: object, pod: Pod | None = None) -> AnyPlan:
    subject = pod or pod_with(volume)
    getter = MemoryObjects(*(objects or OBJECTS))  # type: ignore[arg-type] # ConfigMaps and Secrets
    plugin = Plugins(ports(getter)).of(volume)
    return asyncio.run(plugin.plan(VolumeRequest(pod=subject, volume=volume, directory=DIRECTORY)))


def files_of(volume: Volume, *objects: object, pod: Pod | None = None) -> dict[str, tuple[bytes, int]]:
    plan = planned(volume, *objects, pod=pod)
    assert isinstance(plan, FilesPlan)
    return {file.path: (file.data, file.mode) for file in plan.files}


def problem_of(volume: Volume, *objects: object) -> str:
    with pytest.raises(PodwrightError) as caught:
        planned(volume, *objects)
    return str(caught.value)


def test_an_empty_dir_is_a_directory_with_a_marker() -> None:
    volume = Volume(name="e", empty_dir=EmptyDirVolumeSource())
    assert planned(volume, pod=pod_with(volume, group=5)) == EmptyDirPlan(
        path=f"{DIRECTORY}/volumes/kubernetes.io~empty-dir/e",
        ready=f"{DIRECTORY}/plugins/kubernetes.io~empty-dir/e",
        group=5,
    )


def test_a_volume_without_a_source_is_an_empty_dir() -> None:
    assert isinstance(planned(Volume(name="e")), EmptyDirPlan)


def test_a_host_path_is_used_where_it_is() -> None:
    plan = planned(Volume(name="h", host_path=HostPathVolumeSource(path="/srv", type="Directory")))
    assert plan == HostPathPlan(path="/srv", type="Directory")
    assert not plan.mounted.selinux_relabel


@pytest.mark.parametrize(
    ("path", "kind", "problem"),
    [("/a/../b", "", "must not contain '..'"), ("/a", "Folder", "Folder is an invalid volume type")],
)
def test_host_paths_that_are_refused(path: str, kind: str, problem: str) -> None:
    assert problem in problem_of(Volume(name="h", host_path=HostPathVolumeSource(path=path, type=kind)))


def test_an_image_is_left_to_the_runtime() -> None:
    plan = planned(Volume(name="i", image=ImageVolumeSource(reference="registry.example/data:1")))
    assert plan == ImagePlan(reference="registry.example/data:1")
    assert plan.mounted.image == "registry.example/data:1"
    assert plan.mounted.read_only
    assert plan.mounted.path == ""


CONFIG = [
    (ConfigMapVolumeSource(name="settings"), {"color": (b"red", 0o644), "size": (b"1", 0o644)}),
    (ConfigMapVolumeSource(name="settings", default_mode=0o400), {"color": (b"red", 0o400), "size": (b"1", 0o400)}),
    (
        ConfigMapVolumeSource(name="settings", items=(KeyToPath(key="color", path="a/b", mode=0o600),)),
        {"a/b": (b"red", 0o600)},
    ),
    (ConfigMapVolumeSource(name="none", optional=True), {}),
    (ConfigMapVolumeSource(name="settings", optional=True, items=(KeyToPath(key="x", path="x"),)), {}),
    (ConfigMapVolumeSource(name="none"), 'configmap "none" not found'),
    (
        ConfigMapVolumeSource(name="settings", items=(KeyToPath(key="x", path="x"),)),
        "configmap references non-existent config key: x",
    ),
]


@pytest.mark.parametrize(("source", "expected"), CONFIG)
def test_config_maps(source: ConfigMapVolumeSource, expected: dict[str, tuple[bytes, int]] | str) -> None:
    volume = Volume(name="c", config_map=source)
    if isinstance(expected, str):
        assert problem_of(volume) == expected
    else:
        assert files_of(volume) == expected


def test_a_config_map_is_on_disk_and_wrapped() -> None:
    plan = planned(Volume(name="c", config_map=ConfigMapVolumeSource(name="settings")))
    assert isinstance(plan, FilesPlan)
    assert plan.directory == EmptyDirPlan(
        path=f"{DIRECTORY}/volumes/kubernetes.io~configmap/c",
        ready=f"{DIRECTORY}/plugins/kubernetes.io~empty-dir/wrapped_c",
    )
    assert plan.mounted.read_only


def test_binary_data_of_a_config_map_are_files_too() -> None:
    found = msgspec.structs.replace(config_map("settings", a="1"), binary_data={"b": b"\0\xff"})
    volume = Volume(name="c", config_map=ConfigMapVolumeSource(name="settings"))
    assert files_of(volume, found) == {"a": (b"1", 0o644), "b": (b"\0\xff", 0o644)}


SECRETS = [
    (SecretVolumeSource(secret_name="keys"), {"token": (b"t0p", 0o644)}),
    (SecretVolumeSource(secret_name="none", optional=True), {}),
    (SecretVolumeSource(secret_name="none"), 'secret "none" not found'),
    (
        SecretVolumeSource(secret_name="keys", items=(KeyToPath(key="x", path="x"),)),
        "references non-existent secret key: x",
    ),
]


@pytest.mark.parametrize(("source", "expected"), SECRETS)
def test_secrets(source: SecretVolumeSource, expected: dict[str, tuple[bytes, int]] | str) -> None:
    volume = Volume(name="s", secret=source)
    if isinstance(expected, str):
        assert problem_of(volume) == expected
    else:
        assert files_of(volume) == expected


def test_string_data_of_a_files_secret_wins() -> None:
    found = Secret(metadata=secret("keys").metadata, data={"a": b"old", "b": b"2"}, string_data={"a": "new"})
    volume = Volume(name="s", secret=SecretVolumeSource(secret_name="keys"))
    assert files_of(volume, found) == {"a": (b"new", 0o644), "b": (b"2", 0o644)}


@pytest.mark.parametrize(
    ("volume", "plugin"),
    [
        (Volume(name="v", secret=SecretVolumeSource(secret_name="keys")), "secret"),
        (Volume(name="v", downward_api=DownwardAPIVolumeSource()), "downward-api"),
        (Volume(name="v", projected=ProjectedVolumeSource()), "projected"),
    ],
)
def test_what_is_private_is_kept_in_memory(volume: Volume, plugin: str) -> None:
    plan = planned(volume)
    assert isinstance(plan, FilesPlan)
    assert plan.directory.medium == MemoryFilesystem(size_bytes=ALLOCATABLE_BYTES)
    assert plan.directory.path == f"{DIRECTORY}/volumes/kubernetes.io~{plugin}/v"


def downward(path: str, field: str, mode: int | None = None) -> DownwardAPIVolumeFile:
    return DownwardAPIVolumeFile(path=path, field_ref=ObjectFieldSelector(field_path=field), mode=mode)


def test_fields_and_resources_of_the_pod_are_files() -> None:
    items = (
        downward("labels", "metadata.labels", 0o400),
        DownwardAPIVolumeFile(
            path="cpu", resource_field_ref=ResourceFieldSelector(container_name="main", resource="limits.cpu")
        ),
    )
    volume = Volume(name="d", downward_api=DownwardAPIVolumeSource(items=items, default_mode=0o444))
    mounts = (VolumeMount(name="d", mount_path="/d"),)
    main = container(volume_mounts=mounts, resources=ResourceRequirements(limits={"cpu": "2"}))
    subject = pod_with(volume, labels={"b": "2", "a": "1"}, containers=(main,))
    assert files_of(volume, pod=subject) == {"labels": (b'a="1"\nb="2"', 0o400), "cpu": (b"2", 0o444)}


def test_all_fields_without_a_value_are_named() -> None:
    items = (downward("a", "spec.x"), downward("b", "metadata.name"), downward("c", "spec.y"))
    problem = problem_of(Volume(name="d", downward_api=DownwardAPIVolumeSource(items=items)))
    assert problem == "[unsupported fieldPath: spec.x, unsupported fieldPath: spec.y]"


def projected(*sources: VolumeProjection, mode: int | None = None) -> Volume:
    return Volume(name="p", projected=ProjectedVolumeSource(sources=sources, default_mode=mode))


def test_later_sources_of_a_projected_volume_win() -> None:
    volume = projected(
        VolumeProjection(config_map=ConfigMapProjection(name="settings")),
        VolumeProjection(secret=SecretProjection(name="keys", items=(KeyToPath(key="token", path="color"),))),
        VolumeProjection(downward_api=DownwardAPIProjection(items=(downward("who", "metadata.name"),))),
        VolumeProjection(config_map=ConfigMapProjection(name="none", optional=True)),
        mode=0o440,
    )
    assert files_of(volume) == {"color": (b"t0p", 0o440), "size": (b"1", 0o440), "who": (b"web", 0o440)}


def test_all_problems_of_a_projected_volume_are_named() -> None:
    volume = projected(
        VolumeProjection(config_map=ConfigMapProjection(name="none")),
        VolumeProjection(secret=SecretProjection(name="gone")),
    )
    assert problem_of(volume) == '[configmap "none" not found, secret "gone" not found]'


@pytest.mark.parametrize(
    ("source", "what"),
    [
        (VolumeProjection(service_account_token=ServiceAccountTokenProjection(path="t")), "service account default"),
        (
            VolumeProjection(cluster_trust_bundle=ClusterTrustBundleProjection(path="c", name="ca")),
            "clusterTrustBundle ca",
        ),
    ],
)
def test_sources_of_the_api_server_say_so(source: VolumeProjection, what: str) -> None:
    problem = problem_of(projected(source))
    assert what in problem
    assert "needs an API server" in problem


def test_an_optional_trust_bundle_is_empty_and_private_to_the_group() -> None:
    bundle = ClusterTrustBundleProjection(path="ca", name="x", optional=True)
    volume = projected(VolumeProjection(cluster_trust_bundle=bundle), mode=0o444)
    assert files_of(volume) == {"ca": (b"", 0o444)}
    assert files_of(volume, pod=pod_with(volume, group=7)) == {"ca": (b"", 0o600)}


@pytest.mark.parametrize(("first", "second", "expected"), [(True, True, True), (True, False, False)])
def test_files_of_immutable_objects_are_final(first: bool, second: bool, expected: bool) -> None:
    volume = projected(
        VolumeProjection(config_map=ConfigMapProjection(name="a")),
        VolumeProjection(secret=SecretProjection(name="b")),
    )
    plan = planned(volume, config_map("a", immutable=first), secret("b", immutable=second))
    assert isinstance(plan, FilesPlan)
    assert plan.is_final is expected


def test_a_kind_that_cannot_be_done_is_named() -> None:
    volume = Volume(name="share", iscsi=ISCSIVolumeSource(iqn="iqn", lun=0, target_portal="p"))
    with pytest.raises(Unimplemented, match='no volume plugin matched: volume "share" is of kind iscsi'):
        planned(volume)


def test_every_kind_of_the_api_has_its_name() -> None:
    names = {field.encode_name for field in KINDS}
    assert {"emptyDir", "downwardAPI", "scaleIO", "persistentVolumeClaim"} <= names
    assert kind_of(Volume(name="x")) == "emptyDir"
