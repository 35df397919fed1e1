"""Reads what a release of Kubernetes knows of the kubelet's configuration, from its Go sources.

python -m tools.kubelet_facts SOURCES    write tests/agent/config/kubelet.tsv and podwright/agent/config/known_gates.py

SOURCES is a checkout of kubernetes/kubernetes; run `make format` afterwards. The first file holds the fields and flags
that a test compares with `podwright.agent.config.settings`; the second is the feature gates. Only facts are taken:
names, types and defaults.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

TREE = Path(__file__).resolve().parent.parent
FACTS = TREE / "tests/agent/config/kubelet.tsv"
GATES = TREE / "podwright/agent/config/known_gates.py"
STAGING = "staging/src/k8s.io"
TYPES = (
    f"{STAGING}/kubelet/config/v1beta1/types.go",
    f"{STAGING}/component-base/logs/api/v1/types.go",
    f"{STAGING}/component-base/tracing/api/v1/types.go",
)
FLAGS = ("cmd/kubelet/app/options/options.go", f"{STAGING}/component-base/logs/api/v1/options.go")
CADVISOR_FLAGS = "cmd/kubelet/app/options/globalflags_linux.go"
# Where gates are declared; the first three only name gates, which the kubelet's own table then lists.
GATE_SOURCES = (
    f"{STAGING}/apiserver/pkg/features/kube_features.go",
    f"{STAGING}/apiextensions-apiserver/pkg/features/kube_features.go",
    f"{STAGING}/controller-manager/pkg/features/kube_features.go",
    f"{STAGING}/client-go/features/known_features.go",
    f"{STAGING}/component-base/logs/api/v1/kube_features.go",
    f"{STAGING}/component-base/metrics/features/kube_features.go",
    f"{STAGING}/component-base/zpages/features/kube_features.go",
    "pkg/features/kube_features.go",
)
GATES_FROM = 3
GENERIC_GATES = (("AllAlpha", "Alpha", False, False), ("AllBeta", "Beta", False, False))
# core/v1.Taint is the one type of the API that the configuration holds.
TAINT = (
    ("Key", "string", "key"),
    ("Value", "string", "value"),
    ("Effect", "string", "effect"),
    ("TimeAdded", "*metav1.Time", "timeAdded"),
)
_STRUCT = re.compile(r"^type (\w+) struct \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
_FIELD = re.compile(r"^\t(?:(\w+) +)?([\w.*\[\]]+)\s+`json:\"(\w*)[^\"]*\"", re.MULTILINE)
_FLAG = re.compile(r"\tfs\.(\w+)\((.+?), \"([a-z0-9-]+)\"|\tfs\.(VarP?)\((.+?), \"([a-z0-9-]+)\"")
_NOTED_FLAG = re.compile(r"register(?:Deprecated)?\(global, local, \"([\w-]+)\"")

_GATE = re.compile(r"^\t+(?:\w+\.)?(\w+): \{\n((?:\t+(?://.*|\{Version:.*)\n)+)", re.MULTILINE)

Struct = tuple[tuple[str, str, str], ...]
Gate = tuple[str, str, bool, bool]


def read_structs(sources: Path) -> dict[str, Struct]:
    """The Go structs of the configuration: (Go name, Go type, JSON name) of each field."""
    structs: dict[str, Struct] = {"Taint": TAINT}
    for path in TYPES:
        for name, body in _STRUCT.findall((sources / path).read_text()):
            structs[name] = tuple(_FIELD.findall(body))
    return structs


def walk(structs: dict[str, Struct], struct: str, prefix: str = "") -> list[tuple[str, str]]:
    """Every leaf below `struct` as (dotted JSON path, Go type); elements of lists have `[]` in their path."""
    leaves: list[tuple[str, str]] = []
    for _, go_type, json_name in structs[struct]:
        bare = go_type.removeprefix("*").removeprefix("[]").rpartition(".")[2]
        listed = go_type.startswith("[]") or bare == "VModuleConfiguration"
        bare = "VModuleItem" if bare == "VModuleConfiguration" else bare
        path = prefix + json_name + ("[]" if listed and bare in structs else "")
        if not json_name:  # embedded: its fields stand in the struct's place
            leaves += [] if bare == "TypeMeta" else walk(structs, bare, prefix)
        elif bare in structs and bare != "TimeOrMetaDuration":
            leaves += walk(structs, bare, f"{path}.")
        else:
            leaves.append((path, go_type.rpartition(".")[2] if "." in go_type and "[" not in go_type else go_type))
            if go_type.startswith("*") and not leaves[-1][1].startswith("*"):
                leaves[-1] = (path, f"*{leaves[-1][1]}")
    return leaves


def read_flags(sources: Path, structs: dict[str, Struct]) -> list[str]:
    """Every flag that the kubelet's command registers on Linux, with the field that it sets or `-`."""
    lines = []
    for path in FLAGS:
        for match in _FLAG.finditer((sources / path).read_text()):
            target, name = match[2] or match[5], match[3] or match[6]
            lines.append(f"flag\t{name}\t{bound_field(structs, target, logging=path != FLAGS[0]) or '-'}")
    noted = _NOTED_FLAG.findall((sources / CADVISOR_FLAGS).read_text())
    lines += [f"flag\t{name.replace('_', '-')}\t-" for name in noted]
    return sorted({*lines, "flag\tversion\t-", "flag\thelp\t-"})


def bound_field(structs: dict[str, Struct], target: str, *, logging: bool) -> str:
    """The JSON path of the field behind a Go expression such as `&c.SyncFrequency.Duration`; empty for none."""
    found = re.search(r"&?\bc\.([\w.]+)", target)
    if not found:
        return ""
    struct, path = ("LoggingConfiguration", ["logging"]) if logging else ("KubeletConfiguration", [])
    for word in found[1].split("."):
        entries = {go: (kind, json) for go, kind, json in _flattened(structs, struct)}
        if word not in entries:
            break  # the Duration inside a metav1.Duration
        kind, json_name = entries[word]
        path.append(json_name)
        struct = kind.removeprefix("*").rpartition(".")[2]
        if struct not in structs:
            break
    return ".".join(path)


def _flattened(structs: dict[str, Struct], struct: str) -> list[tuple[str, str, str]]:
    entries: list[tuple[str, str, str]] = []
    for go_name, kind, json_name in structs[struct]:
        entries += [(go_name, kind, json_name)] if json_name else _flattened(structs, kind) if kind in structs else []
    return entries


def read_gates(sources: Path) -> tuple[list[Gate], dict[str, list[str]]]:
    """(name, stage, default, locked) of every gate of the kubelet, and which gates a gate needs."""
    names: dict[str, str] = {}
    gates: dict[str, Gate] = {}
    texts = [(sources / path).read_text() for path in GATE_SOURCES]
    for text in texts:
        names |= dict(
            re.findall(
                r"^\t(\w+)(?: +(?:featuregate\.)?Feature)? += (?:featuregate\.Feature\()?\"(\w+)\"", text, re.MULTILINE
            )
        )
    for text in texts[GATES_FROM:]:
        for word, body in _GATE.findall(text):
            stage, default, locked = newest_spec(body)
            gates[names[word]] = (names[word], stage, default, locked)
    return sorted([*GENERIC_GATES, *gates.values()]), read_needs(texts[-1], names)


def newest_spec(body: str) -> tuple[str, bool, bool]:
    """Stage, default and lock that count in this release; a spec for other servers' versions does not."""
    lines = [line for line in body.splitlines() if "Default:" in line and "MinCompatibilityVersion" not in line]
    stage = re.search(r"PreRelease: (?:featuregate\.)?(\w+)", lines[-1])
    assert stage, body
    return stage[1], ", Default: true" in lines[-1], "LockToDefault: true" in lines[-1]


def read_needs(text: str, names: dict[str, str]) -> dict[str, list[str]]:
    """Which gates a gate needs."""
    table = re.search(
        r"^var defaultKubernetesFeatureGateDependencies = .*?\{\n(.*?)^\}", text, re.MULTILINE | re.DOTALL
    )
    assert table, "the table of dependencies has moved"
    needs = {}
    for word, listed in re.findall(r"^\t(?:\w+\.)?(\w+): +\{([^}]+)\}", table[1], re.MULTILINE):
        others = re.sub(r"//.*|featuregate\.Feature\(|\)", "", listed)
        needs[names[word]] = sorted(names[other] for other in re.findall(r"(?:\w+\.)?(\w+)\s*(?:,|$)", others))
    return dict(sorted(needs.items()))


def gates_module(gates: list[Gate], needs: dict[str, list[str]]) -> str:
    """The text of `known_gates.py`."""
    lines = [
        '"""The feature gates of a kubelet 1.36, written by `python -m tools.kubelet_facts`."""',
        "",
        "from __future__ import annotations",
        "",
        "# Name, stage, default, and whether it is locked to its default.",
        "KNOWN: tuple[tuple[str, str, bool, bool], ...] = (",
        *(f'    ("{name}", "{stage}", {default}, {locked}),' for name, stage, default, locked in gates),
        ")",
        "",
        "# A gate that is on needs these to be on as well.",
        "NEEDS: dict[str, tuple[str, ...]] = {",
        *(
            f'    "{name}": ({", ".join(f"{chr(34)}{other}{chr(34)}" for other in others)},),'
            for name, others in needs.items()
        ),
        "}",
        "",
    ]
    return "\n".join(lines)


def main() -> int:
    """Write both files."""
    sources = Path(sys.argv[1])
    structs = read_structs(sources)
    fields = [f"field\t{path}\t{kind}" for path, kind in walk(structs, "KubeletConfiguration")]
    FACTS.write_text("\n".join([*fields, *read_flags(sources, structs)]) + "\n")
    GATES.write_text(gates_module(*read_gates(sources)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
