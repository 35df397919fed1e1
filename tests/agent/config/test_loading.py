"""Flags, files and drop-ins to one configuration, in the kubelet's order."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from podwright.agent.config.agent_config import AgentConfig
from podwright.agent.config.command_line import parse_command_line
from podwright.agent.config.loading import LoadedConfig, load
from podwright.agent.config.merge import merge_patch
from podwright.agent.config.reading import ConfigError
from podwright.agent.config.thresholds import threshold_value
from podwright.errors import InvalidArgument

HEAD = "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n"
Write = Callable[[str, str], str]


def _load(*arguments: str) -> LoadedConfig:
    return load(parse_command_line(arguments), unified_cgroups=True)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a file with the head of a KubeletConfiguration; gives its path."""

    def write(name: str, text: str) -> str:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(HEAD + text)
        return str(path)

    return write


def test_a_file_that_says_nothing_is_the_default_config(write: Write) -> None:
    loaded = _load("--config", write("kubelet.yaml", ""))
    thresholds = {each.signal.value: each.value for each in loaded.config.eviction.thresholds}
    assert thresholds["memory.available"] == threshold_value("", "100Mi")
    assert thresholds["nodefs.available"] == threshold_value("", "10%")
    assert loaded.config.server == AgentConfig().server
    assert loaded.config.pods == AgentConfig().pods
    assert loaded.warnings == ()


def test_without_a_file_the_older_defaults_of_flags_count() -> None:
    config = _load().config
    assert config.server.read_only_port == 10255
    assert (config.security.anonymous, config.security.token_webhook) == (True, False)
    assert config.security.authorization_mode == "AlwaysAllow"
    assert config.eviction.thresholds == ()


def test_flags_win_over_the_file(write: Write) -> None:
    file = write("kubelet.yaml", "maxPods: 5\nsyncFrequency: 5s\nclusterDNS: [10.0.0.1]\n")
    config = _load("--max-pods=6", f"--config={file}", "--cluster-dns=10.0.0.2", "--cluster-dns=10.0.0.3").config
    assert config.pods.max_pods == 6
    assert config.pods.sync_frequency_s == 5.0
    assert config.network.cluster_dns == ("10.0.0.2", "10.0.0.3")


def test_feature_gates_of_files_and_flags_add_up_and_flags_win(write: Write) -> None:
    file = write("kubelet.yaml", "featureGates: {EventedPLEG: true, MemoryQoS: true}\n")
    write("d/1.conf", "featureGates: {KubeletPSI: true, CPUManagerPolicyAlphaOptions: true}\n")
    folder = os.path.join(os.path.dirname(file), "d")
    loaded = _load("--feature-gates=MemoryQoS=false", "--config", file, "--config-dir", folder)
    states = loaded.config.feature_gates
    assert states["EventedPLEG"]
    assert states["CPUManagerPolicyAlphaOptions"]
    assert not states["MemoryQoS"]
    assert loaded.document["featureGates"]["MemoryQoS"] is False


def test_relative_paths_are_relative_to_the_file_but_not_in_drop_ins(write: Write, tmp_path: Path) -> None:
    file = write(
        "kubelet.yaml",
        "staticPodPath: ../pods\nresolvConf: ''\nvolumePluginDir: /plugins/\npodLogsDir: /var/log/pods\n",
    )
    write("d/1.conf", "tlsCertFile: cert.pem\n")
    loaded = _load("--config", file, "--config-dir", str(tmp_path / "d"))
    config = loaded.config
    assert config.sources.static_pod_path == str(tmp_path.parent / "pods")
    assert config.network.resolver_config == ""
    assert loaded.document["volumePluginDir"] == "/plugins/"
    assert config.security.tls_cert_file == "cert.pem"


def test_drop_ins_are_merged_in_the_order_of_their_names(write: Write, tmp_path: Path) -> None:
    file = write("kubelet.yaml", "maxPods: 1\nclusterDNS: [a]\nsystemReserved: {cpu: '1', memory: 1Gi}\n")
    write("d/20.conf", "maxPods: 3\nsystemReserved: {memory: null, pid: '5'}\n")
    write("d/10.conf", "maxPods: 2\nclusterDNS: [b, c]\nhealthzPort: 0\n")
    write("d/15/9.conf", "registryBurst: 7\nmaxPods: 9\n")
    write("d/30.yaml", "maxPods: 4\n")
    config = _load("--config", file, "--config-dir", str(tmp_path / "d")).config
    assert config.pods.max_pods == 3
    assert config.network.cluster_dns == ("b", "c")
    assert config.server.healthz_port == 0
    assert config.images.pull_burst == 7
    assert config.reserved.system_nano.keys() == {"cpu", "pid"}


def test_a_drop_in_sets_a_field_back_to_its_default_with_null_or_go_s_zero(write: Write, tmp_path: Path) -> None:
    file = write("kubelet.yaml", "maxPods: 5\nregistryPullQPS: 9\nsyncFrequency: 5s\n")
    write("d/1.conf", "maxPods: 0\nregistryPullQPS: null\nsyncFrequency: 0s\n")
    config = _load("--config", file, "--config-dir", str(tmp_path / "d")).config
    assert (config.pods.max_pods, config.images.pull_qps, config.pods.sync_frequency_s) == (110, 5, 60.0)


def test_defaults_that_depend_on_others_are_settled_before_drop_ins(write: Write, tmp_path: Path) -> None:
    """The base is complete before it is merged into, so a drop-in does not change what follows from other fields."""
    write("d/1.conf", "nodeStatusUpdateFrequency: 20s\n")
    config = _load("--config", write("kubelet.yaml", ""), "--config-dir", str(tmp_path / "d")).config
    assert config.node.status_report_frequency_s == 300.0
    write("d/1.conf", "maxParallelImagePulls: 5\n")
    with pytest.raises(InvalidArgument, match="SerializeImagePulls"):
        _load("--config-dir", str(tmp_path / "d"))


def test_empty_lists_of_the_file_do_not_survive_a_folder_of_drop_ins(write: Write, tmp_path: Path) -> None:
    """Go's encoder leaves them out on the way to the merge."""
    file = write("kubelet.yaml", "enforceNodeAllocatable: []\n")
    (tmp_path / "d").mkdir()
    assert _load("--config", file).config.reserved.enforced == ()
    assert _load("--config", file, "--config-dir", str(tmp_path / "d")).config.reserved.enforced == ("pods",)


@pytest.mark.parametrize("field", ["enforceNodeAllocatable", "imageMinimumGCAge", "evictionHard"])
def test_what_is_printed_means_the_same_when_it_is_read_again(write: Write, field: str) -> None:
    """Also an empty list, where no list would mean the default."""
    given = {"enforceNodeAllocatable": "[]", "imageMinimumGCAge": "0s", "evictionHard": "{}"}[field]
    first = _load("--config", write("kubelet.yaml", f"{field}: {given}\n"))
    fields = {key: value for key, value in first.document.items() if key not in ("apiVersion", "kind")}
    again = _load("--config", write("printed.yaml", yaml.safe_dump(fields)))
    assert again.config == first.config


def test_drop_ins_without_a_file_change_the_flags_but_flags_win(write: Write, tmp_path: Path) -> None:
    write("d/1.conf", "maxPods: 5\nregistryBurst: 6\n")
    config = _load("--max-pods=7", "--config-dir", str(tmp_path / "d")).config
    assert (config.pods.max_pods, config.images.pull_burst) == (7, 6)
    assert config.security.authorization_mode == "AlwaysAllow"


def test_a_folder_that_is_a_link_is_not_followed(write: Write, tmp_path: Path) -> None:
    write("d/1.conf", "maxPods: 5\n")
    (tmp_path / "link").symlink_to("d")
    loaded = _load("--config-dir", str(tmp_path / "link"))
    assert loaded.config.pods.max_pods == 110
    assert "is a link" in loaded.warnings[0]
    (tmp_path / "d" / "2.conf").symlink_to(write("other", "maxPods: 6\n"))
    assert _load("--config-dir", str(tmp_path / "d")).config.pods.max_pods == 6


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("maxPods: 1\nmaxPods: 2\n", "maxPods: given twice"),
        ("maxPod: 1\n", "no such field, did you mean maxPods"),
        ("maxPods: x\n", "maxPods: expected a whole number"),
        ("kind: Pod\n", "given twice|is a Pod"),
    ],
)
def test_what_is_wrong_with_a_drop_in_names_the_drop_in(write: Write, tmp_path: Path, text: str, problem: str) -> None:
    path = write("d/1.conf", text)
    with pytest.raises(InvalidArgument, match=problem) as refusal:
        _load("--config-dir", str(tmp_path / "d"))
    assert refusal.value.message.startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("maxPods: 5\n", "has no kind"),
        ("kind: KubeletConfiguration\n", "has no apiVersion"),
        ("kind: KubeletConfiguration\napiVersion: kubelet.config.k8s.io/v1\n", "is a KubeletConfiguration of kubelet"),
        ("kind: CredentialProviderConfig\napiVersion: kubelet.config.k8s.io/v1\n", "is a CredentialProviderConfig"),
        ("", "is empty"),
    ],
)
def test_files_of_another_kind(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "kubelet.yaml"
    path.write_text(text)
    with pytest.raises(InvalidArgument, match=problem):
        _load("--config", str(path))


def test_files_that_are_not_there_or_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for arguments, problem in (
        (("--config", str(tmp_path / "none")), "none: cannot be read: No such file"),
        (("--config", str(tmp_path)), "cannot be read|is not a regular file"),
        (("--config", str(tmp_path / "fifo")), "fifo: is not a regular file"),
        (("--config-dir", str(tmp_path / "none")), "none: cannot be read: No such file"),
    ):
        with pytest.raises(InvalidArgument, match=problem):
            _load(*arguments)


def test_unknown_and_repeated_keys_are_errors_or_with_lenient_config_warnings(write: Write) -> None:
    file = write("kubelet.yaml", "maxPods: 5\nmaxPods: 6\nlivePods: 1\n")
    with pytest.raises(InvalidArgument, match="given twice; livePods: no such field") as refusal:
        _load("--config", file)
    assert "--lenient-config" in refusal.value.hint
    loaded = _load("--config", file, "--lenient-config")
    assert loaded.config.pods.max_pods == 6
    assert loaded.warnings == (f"{file}: maxPods: given twice; ignored", f"{file}: livePods: no such field; ignored")


def test_a_lenient_reading_of_drop_ins_takes_unknown_fields_but_no_repeated_keys(write: Write, tmp_path: Path) -> None:
    write("d/1.conf", "livePods: 1\nmaxPods: 5\n")
    assert _load("--config-dir", str(tmp_path / "d"), "--lenient-config").config.pods.max_pods == 5
    write("d/1.conf", "maxPods: 5\nmaxPods: 6\n")
    with pytest.raises(InvalidArgument, match="given twice"):
        _load("--config-dir", str(tmp_path / "d"), "--lenient-config")


def test_what_is_set_and_not_honoured_is_named_once(write: Write, tmp_path: Path) -> None:
    file = write("kubelet.yaml", "maxOpenFiles: 5\nport: 10250\nmaxPods: 5\ntracing: {endpoint: x}\n---\n{}\n")
    drop_in = write("d/1.conf", "maxOpenFiles: 6\nhairpinMode: none\n")
    arguments = ("--config", file, "--config-dir", str(tmp_path / "d"))
    assert _load(
        *arguments, "--max-open-files=2", "--cloud-provider=x", "--cloud-provider=y", "--max-pods=2"
    ).warnings == (
        f"{file}: only the first document counts",
        f"{file}: not honoured: maxOpenFiles, tracing.endpoint",
        f"{drop_in}: not honoured: hairpinMode",
        "command line: not honoured: --cloud-provider",
    )


def test_gates_are_checked_wherever_they_stand(write: Write) -> None:
    with pytest.raises(InvalidArgument, match=r"\(--feature-gates\): there is no feature gate Foo"):
        _load("--feature-gates=Foo=true")
    with pytest.raises(InvalidArgument, match="did you mean EventedPLEG"):
        _load("--config", write("kubelet.yaml", "featureGates: {EventedPLEGS: true}\n"))
    with pytest.raises(InvalidArgument, match="NodeSwap is locked to true"):
        _load("--config", write("kubelet.yaml", "featureGates: {NodeSwap: false}\n"))


def test_a_gate_of_the_file_may_need_one_of_the_flags(write: Write) -> None:
    file = write("kubelet.yaml", "featureGates: {WorkloadAwarePreemption: true}\n")
    loaded = _load("--config", file, "--feature-gates=GangScheduling=true,GenericWorkload=true")
    assert loaded.config.feature_gates["WorkloadAwarePreemption"]
    with pytest.raises(InvalidArgument, match="needs GangScheduling"):
        _load("--config", file)


def test_all_problems_of_the_whole_are_named_at_once_as_a_kubelet_does(write: Write) -> None:
    file = write("kubelet.yaml", "maxPods: -2\nhairpinMode: on-it\nfeatureGates: {Foo: true}\n")
    with pytest.raises(InvalidArgument) as caught:
        _load("--config", file, "--event-burst=-1", "--max-pods=-1")
    assert str(caught.value) == (
        "[invalid configuration: featureGates (--feature-gates): there is no feature gate Foo, "
        "invalid configuration: eventBurst (--event-burst) -1 must not be a negative number, "
        "invalid configuration: maxPods (--max-pods) -1 must not be a negative number, "
        'invalid configuration: option "on-it" specified for hairpinMode (--hairpin-mode). '
        'Valid options are "none", "hairpin-veth" or "promiscuous-bridge"]'
    )


def test_all_that_cannot_be_read_of_a_file_is_named_at_once(write: Write) -> None:
    file = write("kubelet.yaml", "maxPods: many\nevntBurst: 1\nport: 1\nport: 2\n")
    with pytest.raises(ConfigError) as caught:
        _load("--config", file)
    assert [problem.partition(":")[0] for problem in caught.value.problems] == ["maxPods", "port", "evntBurst"]
    with pytest.raises(ConfigError, match="maxPods: expected a whole number") as caught:
        _load("--config", file, "--lenient-config")
    assert len(caught.value.problems) == 1


PATCHES = st.fixed_dictionaries(
    {},
    optional={
        "maxPods": st.none() | st.integers(1, 9),
        "clusterDNS": st.none() | st.lists(st.sampled_from(["a", "b"]), min_size=1, max_size=2),
        "systemReserved": st.none()
        | st.dictionaries(st.sampled_from(["cpu", "memory"]), st.none() | st.sampled_from(["1", "2"]), max_size=2),
        "authentication": st.none() | st.just({"webhook": {"cacheTTL": "3m0s"}}) | st.just({"webhook": None}),
        "syncFrequency": st.none() | st.sampled_from(["1s", "2m0s"]),
    },
)


@given(st.lists(PATCHES, max_size=3))
def test_drop_ins_are_merge_patches_of_the_configuration(
    tmp_path_factory: pytest.TempPathFactory, patches: list[dict[str, Any]]
) -> None:
    """The effective document is what RFC 7386 makes of the base, with defaults for what the patches removed."""
    folder = tmp_path_factory.mktemp("drop-ins")
    file = folder / "kubelet.yaml"
    file.write_text(HEAD)
    base = expected = _load("--config", str(file)).document
    for number, patch in enumerate(patches):
        (folder / f"{number}.conf").write_text(
            HEAD + "".join(f"{key}: {_flow(value)}\n" for key, value in patch.items())
        )
        expected = merge_patch(expected, patch)
    got = _load("--config", str(file), "--config-dir", str(folder)).document
    defaults = {key: base[key] for key in ("maxPods", "syncFrequency")}
    expected = defaults | expected
    assert {key: got.get(key) for key in ("maxPods", "syncFrequency", "clusterDNS")} == {
        key: expected.get(key) for key in ("maxPods", "syncFrequency", "clusterDNS")
    }
    assert got.get("systemReserved", {}) == expected.get("systemReserved", {})
    ttl = expected.get("authentication", {}).get("webhook", {}).get("cacheTTL", "2m0s")
    assert got["authentication"]["webhook"]["cacheTTL"] == ttl


def _flow(value: Any) -> str:
    return json.dumps(value)
