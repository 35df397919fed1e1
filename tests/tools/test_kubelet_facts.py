"""Facts out of Go sources: structs, flags and gates as Kubernetes writes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import kubelet_facts as facts

KUBELET_TYPES = """
type KubeletConfiguration struct {
	metav1.TypeMeta `json:",inline"`

	// text
	EnableServer *bool `json:"enableServer,omitempty"`
	SyncFrequency metav1.Duration `json:"syncFrequency,omitempty"`
	CPUPeriod *metav1.Duration `json:"cpuPeriod,omitempty"`
	Authentication KubeletAuthentication `json:"authentication"`
	Taints []v1.Taint `json:"taints,omitempty"`
	Logging logsapi.LoggingConfiguration `json:"logging,omitempty"`
}

type KubeletAuthentication struct {
	Enabled bool `json:"enabled"`
}
"""
LOG_TYPES = """
type LoggingConfiguration struct {
	Format string `json:"format,omitempty"`
	VModule VModuleConfiguration `json:"vmodule,omitempty"`
	Text TextOptions `json:"text,omitempty"`
}

type TextOptions struct {
	OutputRoutingOptions `json:",inline"`
}

type OutputRoutingOptions struct {
	SplitStream bool `json:"splitStream,omitempty"`
}

type VModuleItem struct {
	FilePattern string `json:"filePattern"`
}
"""
OPTIONS = """
	fs.StringVar(&f.KubeConfig, "kubeconfig", f.KubeConfig, "about")
	fs.DurationVar(&c.SyncFrequency.Duration, "sync-frequency", c.SyncFrequency.Duration, "about")
	fs.BoolVar(&c.Authentication.Enabled, "auth", c.Authentication.Enabled, ""+
	fs.Var(&utilflag.TaintsVar{Value: &c.Taints}, "taints", "about")
"""
LOG_OPTIONS = """
	fs.StringVar(&c.Format, "logging-format", c.Format, "about")
	fs.BoolVar(&c.Text.SplitStream, "log-text-split-stream", false, "about")
	fs.VarP(VerbosityLevelPflag(&c.Verbosity), "v", "v", "about")
"""
CADVISOR = """
	register(global, local, "housekeeping_interval")
	registerDeprecated(global, local, "boot_id_file", deprecated)
"""
GATES = """
const (
	One featuregate.Feature = "One"
	Two featuregate.Feature = "RenamedTwo"
	Three = "Three"
)
var defaultVersionedKubernetesFeatureGates = map[featuregate.Feature]featuregate.VersionedSpecs{
	One: {
		{Version: version.MustParse("1.35"), Default: false, PreRelease: featuregate.Alpha},
		{Version: version.MustParse("1.36"), Default: true, PreRelease: featuregate.Beta}, // on
	},

	Two: {
		// why
		{Version: version.MustParse("1.36"), Default: false, PreRelease: featuregate.GA, LockToDefault: true},
	},

	Three: {
		{Version: version.MustParse("1.36"), Default: false, PreRelease: featuregate.Beta},
		{Version: version.MustParse("1.36"), Default: true, PreRelease: featuregate.Beta, MinCompatibilityVersion: v},
	},
}
var defaultKubernetesFeatureGateDependencies = map[featuregate.Feature][]featuregate.Feature{
	One: {},

	Two: {One, featuregate.Feature(other.Three)}, // both
}
"""


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    texts = dict(zip(facts.TYPES, (KUBELET_TYPES, LOG_TYPES, ""), strict=True))
    texts |= dict(zip(facts.FLAGS, (OPTIONS, LOG_OPTIONS), strict=True))
    texts |= dict.fromkeys(facts.GATE_SOURCES, "") | {facts.CADVISOR_FLAGS: CADVISOR, facts.GATE_SOURCES[-1]: GATES}
    for path, text in texts.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


def test_fields(sources: Path) -> None:
    assert facts.walk(facts.read_structs(sources), "KubeletConfiguration") == [
        ("enableServer", "*bool"),
        ("syncFrequency", "Duration"),
        ("cpuPeriod", "*Duration"),
        ("authentication.enabled", "bool"),
        ("taints[].key", "string"),
        ("taints[].value", "string"),
        ("taints[].effect", "string"),
        ("taints[].timeAdded", "*Time"),
        ("logging.format", "string"),
        ("logging.vmodule[].filePattern", "string"),
        ("logging.text.splitStream", "bool"),
    ]


def test_flags(sources: Path) -> None:
    assert facts.read_flags(sources, facts.read_structs(sources)) == [
        "flag\tauth\tauthentication.enabled",
        "flag\tboot-id-file\t-",
        "flag\thelp\t-",
        "flag\thousekeeping-interval\t-",
        "flag\tkubeconfig\t-",
        "flag\tlog-text-split-stream\tlogging.text.splitStream",
        "flag\tlogging-format\tlogging.format",
        "flag\tsync-frequency\tsyncFrequency",
        "flag\ttaints\ttaints",
        "flag\tv\tlogging",
        "flag\tversion\t-",
    ]


def test_gates(sources: Path) -> None:
    gates, needs = facts.read_gates(sources)
    assert gates == [
        ("AllAlpha", "Alpha", False, False),
        ("AllBeta", "Beta", False, False),
        ("One", "Beta", True, False),
        ("RenamedTwo", "GA", False, True),
        ("Three", "Beta", False, False),
    ]
    assert needs == {"RenamedTwo": ["One", "Three"]}
