"""What the API server refuses, in its words; the cases follow its own validation tests."""

from __future__ import annotations

import pytest

from podwright.k8s.codec import decode
from podwright.k8s.objects import Pod
from podwright.k8s.validation.pods import validate_pod
from tests.k8s.build import faults, only, read
from tests.k8s.samples import POD_JSON

PORT = "containerPort: 80"
ITEM = "items: [{key: k, path: p}]"
NEAR = "affinity: {podAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{"
PROJECTED = "volumes: [{name: v, projected: {sources: "


def test_a_pod_of_the_api_server_is_right() -> None:
    assert list(validate_pod(decode(POD_JSON, Pod))) == []


@pytest.mark.parametrize(
    ("spec", "container"),
    [
        ("", "ports: [{containerPort: 80, hostPort: 80}, {containerPort: 81, hostPort: 80, hostIP: 127.0.0.1}]"),
        ("", "ports: [{containerPort: 80, hostPort: 80}, {containerPort: 80, hostPort: 80, protocol: UDP}]"),
        ("", "ports: [{containerPort: 80, hostPort: 80, hostIP: '::1'}]"),
        ("", "securityContext: {seccompProfile: {type: Localhost, localhostProfile: a/b.json}}"),
        ("", "securityContext: {seccompProfile: {type: RuntimeDefault}, runAsUser: 2147483647}"),
        ("", "lifecycle: {postStart: {sleep: {seconds: 0}}, preStop: {exec: {command: [a]}}}"),
        ("os: {name: linux}", "lifecycle: {stopSignal: SIGRTMIN+3}"),
        ("", "livenessProbe: {httpGet: {port: http}}, startupProbe: {tcpSocket: {port: 1}}"),
        ("", "readinessProbe: {grpc: {port: 1}, successThreshold: 3}"),
        ("dnsPolicy: None, dnsConfig: {nameservers: [192.0.2.1], searches: [., _a.b., c]}", ""),
        ("volumes: [{name: v, hostPath: {path: rel/ative}}]", "volumeMounts: [{name: v, mountPath: /a}]"),
        ("volumes: [{name: v, emptyDir: {medium: HugePages-2Mi}}]", ""),
        ("volumes: [{name: v, projected: {sources: [{}]}}]", ""),
        ("tolerations: [{operator: Exists}, {key: a, value: b, effect: NoExecute, tolerationSeconds: 1}]", ""),
        ("initContainers: [{name: i, image: x, restartPolicy: Always, livenessProbe: {exec: {command: [a]}}}]", ""),
        ("", "restartPolicy: Never, restartPolicyRules: [{action: Restart, exitCodes: {operator: In, values: [1]}}]"),
        ("", "resources: {limits: {cpu: 1, example.com/gpu: 2, hugepages-2Mi: 4Mi}}"),
        ("hostNetwork: true", "ports: [{containerPort: 80}]"),
        (
            "securityContext: {sysctls: [{name: net.core.somaxconn, value: '1'}, {name: kernel/shmmax, value: '1'}]}",
            "",
        ),
        (
            "",
            "env: [{name: F, valueFrom: {fieldRef: {fieldPath: \"metadata.labels['a/b']\"}}}]",
        ),
        ("", "env: [{name: a, valueFrom: {resourceFieldRef: {resource: limits.cpu, divisor: 1m}}}]"),
        ("hostUsers: false", "securityContext: {procMount: Unmasked}"),
    ],
)
def test_what_the_api_takes(spec: str, container: str) -> None:
    assert faults(spec, container) == []


@pytest.mark.parametrize(
    ("container", "expected"),
    [
        # Issue 10, item 26: seccomp profiles.
        (
            "securityContext: {seccompProfile: {type: Localhost}}",
            "seccompProfile.localhostProfile: Required value: must be set when seccomp type is Localhost",
        ),
        (
            "securityContext: {seccompProfile: {type: Localhost, localhostProfile: ''}}",
            "seccompProfile.localhostProfile: Required value: must be set when seccomp type is Localhost",
        ),
        (
            "securityContext: {seccompProfile: {type: Localhost, localhostProfile: ../a}}",
            "securityContext.seccompProfile.localhostProfile: Invalid value: \"../a\": must not contain '..'",
        ),
        (
            "securityContext: {seccompProfile: {type: Localhost, localhostProfile: /a}}",
            'securityContext.seccompProfile.localhostProfile: Invalid value: "/a": must be a relative path',
        ),
        (
            "securityContext: {seccompProfile: {type: RuntimeDefault, localhostProfile: a}}",
            'seccompProfile.localhostProfile: Invalid value: "a": can only be set when seccomp type is Localhost',
        ),
        (
            "securityContext: {seccompProfile: {type: Other}}",
            'type: Unsupported value: "Other": supported values: "Localhost", "RuntimeDefault", "Unconfined"',
        ),
        (
            "securityContext: {appArmorProfile: {type: Localhost, localhostProfile: ' a'}}",
            'appArmorProfile.localhostProfile: Invalid value: " a": must not be padded with whitespace',
        ),
        (
            "securityContext: {appArmorProfile: {type: Unconfined, localhostProfile: a}}",
            "can only be set when AppArmor type is Localhost",
        ),
        # Hooks.
        ("lifecycle: {postStart: {}}", "lifecycle.postStart: Required value: must specify a handler type"),
        (
            "lifecycle: {preStop: {exec: {command: [a]}, sleep: {seconds: 1}}}",
            "lifecycle.preStop.sleep: Forbidden: may not specify more than 1 handler type",
        ),
        ("lifecycle: {preStop: {exec: {}}}", "lifecycle.preStop.exec.command: Required value"),
        ("lifecycle: {preStop: {sleep: {seconds: 31}}}", "Invalid value: 31: must be non-negative and less than"),
        ("lifecycle: {stopSignal: SIGTERM}", "Forbidden: may not be set for containers with empty `spec.os.name`"),
        ("livenessProbe: {}", "livenessProbe: Required value: must specify a handler type"),
        ("livenessProbe: {httpGet: {port: 0}}", "httpGet.port: Invalid value: 0: must be between 1 and 65535"),
        ("livenessProbe: {httpGet: {}}", "httpGet.port: Invalid value: 0: must be between 1 and 65535"),
        ("livenessProbe: {tcpSocket: {port: A}}", "must contain only alpha-numeric characters (a-z, 0-9)"),
        (
            "livenessProbe: {exec: {command: [a]}, successThreshold: 2}",
            "successThreshold: Invalid value: 2: must be 1",
        ),
        ("livenessProbe: {exec: {command: [a]}, periodSeconds: -1}", "must be greater than or equal to 0"),
        (
            "readinessProbe: {exec: {command: [a]}, terminationGracePeriodSeconds: 1}",
            "must not be set for readinessProbes",
        ),
        (
            "livenessProbe: {httpGet: {port: 1, scheme: FTP}}",
            'Unsupported value: "FTP": supported values: "HTTP", "HTTPS"',
        ),
        (
            "livenessProbe: {httpGet: {port: 1, httpHeaders: [{name: 'a b', value: c}]}}",
            "a valid HTTP header must consist",
        ),
        # Ports.
        (
            f"ports: [{{{PORT}}}, {{{PORT}, name: Http}}]",
            'spec.containers[0].ports[1].name: Invalid value: "Http": must contain only alpha-numeric characters',
        ),
        (f"ports: [{{{PORT}, name: a}}, {{{PORT}, name: a}}]", 'ports[1].name: Duplicate value: "a"'),
        ("ports: [{}]", "ports[0].containerPort: Required value"),
        ("ports: [{containerPort: 65536}]", "Invalid value: 65536: must be between 1 and 65535, inclusive"),
        (f"ports: [{{{PORT}, protocol: tcp}}]", 'Unsupported value: "tcp": supported values: "SCTP", "TCP", "UDP"'),
        (f"ports: [{{{PORT}, hostPort: 1}}, {{{PORT}, hostPort: 1}}]", 'ports[1].hostPort: Duplicate value: "TCP//1"'),
        (f"ports: [{{{PORT}, hostIP: a}}]", "must be a valid IP address"),
        # The container itself.
        ("name: A", 'spec.containers[0].name: Invalid value: "A": a lowercase RFC 1123 label'),
        ("image: ''", "spec.containers[0].image: Required value"),
        ("image: ' a'", "must not have leading or trailing whitespace"),
        (
            "imagePullPolicy: always",
            'Unsupported value: "always": supported values: "Always", "IfNotPresent", "Never"',
        ),
        ("terminationMessagePolicy: x", "terminationMessagePolicy: Unsupported value"),
        ("restartPolicy: never", "restartPolicy: Unsupported value"),
        ("restartPolicyRules: [{action: Restart}]", "must specify restartPolicy when restart rules are used"),
        ("restartPolicy: Never, restartPolicyRules: [{action: Stop}]", "action: Unsupported value"),
        ("resizePolicy: [{resourceName: disk, restartPolicy: NotRequired}]", "resourceName: Unsupported value"),
        # Environment.
        ("env: [{name: ''}]", "env[0].name: Required value"),
        ("env: [{name: a=b}]", "a valid environment variable name must consist only of printable ASCII"),
        ("env: [{name: a, valueFrom: {}}]", "must specify one of: `fieldRef`"),
        ("env: [{name: a, value: b, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]", "`value` is not empty"),
        ("env: [{name: a, valueFrom: {fieldRef: {fieldPath: spec.x}}}]", 'fieldPath: Unsupported value: "spec.x"'),
        ("env: [{name: a, valueFrom: {fieldRef: {fieldPath: metadata.labels}}}]", "Unsupported value"),
        ("env: [{name: a, valueFrom: {fieldRef: {fieldPath: \"spec.x['y']\"}}}]", "does not support subscript"),
        ("env: [{name: a, valueFrom: {resourceFieldRef: {resource: limits.disk}}}]", "resource: Unsupported value"),
        (
            "env: [{name: a, valueFrom: {resourceFieldRef: {resource: limits.cpu, divisor: 2}}}]",
            "only divisor's values 1m, 1",
        ),
        ("env: [{name: a, valueFrom: {secretKeyRef: {name: x, key: a/b}}}]", "a valid config key must consist"),
        ("env: [{name: a, valueFrom: {secretKeyRef: {name: X, key: a}}}]", "a lowercase RFC 1123 subdomain"),
        ("env: [{name: a, valueFrom: {fileKeyRef: {volumeName: v, path: a, key: b}}}]", 'volumeName: Not found: "v"'),
        ("envFrom: [{}]", "must specify one of: `configMapRef` or `secretRef`"),
        ("envFrom: [{configMapRef: {name: a}, secretRef: {name: b}}]", "may not have more than one field"),
        ("envFrom: [{configMapRef: {}}]", "envFrom[0].configMapRef.name: Required value"),
        # Resources.
        ("resources: {limits: {cpu: -1}}", 'limits[cpu]: Invalid value: "-1": must be greater than or equal to 0'),
        (
            "resources: {limits: {cpu: 1}, requests: {cpu: 2}}",
            'requests: Invalid value: "2": must be less than or equal to cpu',
        ),
        ("resources: {limits: {disk: 1}}", "must be a standard resource for containers"),
        ("resources: {requests: {example.com/gpu: 1}}", "Limit must be set for non overcommitable resources"),
        ("resources: {limits: {example.com/gpu: 500m}}", "must be an integer"),
        ("resources: {limits: {hugepages-2Mi: 4Mi}}", "HugePages require cpu or memory"),
        ("resources: {limits: {cpu: 1, hugepages-2Mi: 3Mi}}", "is not positive integer multiple of hugepages-2Mi"),
        ("resources: {claims: [{name: x}]}", 'claims[0]: Not found: "x"'),
        # Security.
        (
            "securityContext: {runAsUser: -1}",
            "runAsUser: Invalid value: -1: must be between 0 and 2147483647, inclusive",
        ),
        ("securityContext: {procMount: Unmasked}", "`hostUsers` must be false to use `Unmasked`"),
        ("securityContext: {procMount: x}", "procMount: Unsupported value"),
        ("securityContext: {privileged: true, allowPrivilegeEscalation: false}", "`privileged` to true"),
        ("securityContext: {allowPrivilegeEscalation: false, capabilities: {add: [CAP_SYS_ADMIN]}}", "CAP_SYS_ADMIN"),
        # Mounts.
        ("volumeMounts: [{name: v, mountPath: /a}]", 'volumeMounts[0].name: Not found: "v"'),
        ("volumeDevices: [{name: v, devicePath: /a}]", 'volumeDevices[0].name: Not found: "v"'),
    ],
)
def test_containers_that_are_refused(container: str, expected: str) -> None:
    found = [str(problem) for problem in validate_pod(only(container))]
    assert any(expected in fault for fault in found), found


@pytest.mark.parametrize(
    ("spec", "container", "expected"),
    [
        (
            "dnsConfig: {nameservers: [192.0.2.1, 192.0.2.2, 192.0.2.3, 192.0.2.4]}",
            "",
            '192.0.2.4": must not have more than 3 nameservers',
        ),
        ("dnsConfig: {nameservers: [a]}", "", "must be a valid IP address"),
        ("dnsPolicy: None", "", "spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None"),
        ("dnsPolicy: None, dnsConfig: {}", "", "must provide at least one DNS nameserver"),
        ("dnsPolicy: x", "", "spec.dnsPolicy: Unsupported value"),
        ("dnsConfig: {searches: [A]}", "", "spec.dnsConfig.searches[0]: Invalid value"),
        ("dnsConfig: {options: [{}]}", "", "options[0]: Required value: must not be empty"),
        ("hostname: A", "", "spec.hostname: Invalid value"),
        ("hostAliases: [{ip: x, hostnames: [a]}]", "", "spec.hostAliases[0].ip: Invalid value"),
        ("restartPolicy: Sometimes", "", "spec.restartPolicy: Unsupported value"),
        ("activeDeadlineSeconds: 0", "", "must be between 1 and 2147483647, inclusive"),
        ("terminationGracePeriodSeconds: -1", "", "spec.terminationGracePeriodSeconds: Invalid value: -1"),
        ("hostPID: true, shareProcessNamespace: true", "", "ShareProcessNamespace and HostPID cannot both be enabled"),
        ("hostUsers: false, hostIPC: true", "", "spec.hostIPC: Forbidden: when `hostUsers` is false"),
        ("hostNetwork: true", "ports: [{containerPort: 80, hostPort: 81}]", "must match `containerPort`"),
        ("securityContext: {fsGroup: -1}", "", "spec.securityContext.fsGroup: Invalid value: -1"),
        ("securityContext: {fsGroupChangePolicy: x}", "", "fsGroupChangePolicy: Unsupported value"),
        ("securityContext: {supplementalGroups: [1, -1]}", "", "supplementalGroups[1]: Invalid value: -1"),
        (
            "securityContext: {sysctls: [{name: 'A b', value: x}]}",
            "",
            "must have at most 253 characters and match regex",
        ),
        ("securityContext: {sysctls: [{name: a.b, value: x}, {name: a/b, value: x}]}", "", 'Duplicate value: "a/b"'),
        ("hostNetwork: true, securityContext: {sysctls: [{name: net.a, value: x}]}", "", "'hostNetwork' is true"),
        ("hostIPC: true, securityContext: {sysctls: [{name: kernel.sem, value: x}]}", "", "'hostIPC' is true"),
        ("securityContext: {seccompProfile: {type: Localhost}}", "", "must be set when seccomp type is Localhost"),
        # Init containers and sidecars.
        ("initContainers: [{name: i, image: x, lifecycle: {}}]", "", "Forbidden: may not be set for init containers"),
        ("initContainers: [{name: i, image: x, livenessProbe: {}}]", "", "initContainers[0].livenessProbe: Forbidden"),
        ("initContainers: [{name: c, image: x}]", "", 'spec.initContainers[0].name: Duplicate value: "c"'),
        ("initContainers: [{name: i, image: x, restartPolicy: Maybe}]", "", "restartPolicy: Unsupported value"),
        (
            "ephemeralContainers: [{name: e, image: x}]",
            "",
            "spec.ephemeralContainers: Forbidden: cannot be set on create",
        ),
        # Volumes.
        ("volumes: [{name: A}]", "", "spec.volumes[0].name: Invalid value"),
        ("volumes: [{name: v}, {name: v}]", "", 'spec.volumes[1].name: Duplicate value: "v"'),
        (
            "volumes: [{name: v, emptyDir: {}, hostPath: {path: /}}]",
            "",
            "spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type",
        ),
        ("volumes: [{name: v, emptyDir: {sizeLimit: -1}}]", "", "SizeLimit field must be a valid resource quantity"),
        ("volumes: [{name: v, hostPath: {path: /a/../b}}]", "", 'hostPath.path: Invalid value: "/a/../b": must not'),
        ("volumes: [{name: v, hostPath: {path: ''}}]", "", "hostPath.path: Required value"),
        ("volumes: [{name: v, hostPath: {path: /, type: Dir}}]", "", "hostPath.type: Unsupported value"),
        ("volumes: [{name: v, configMap: {}}]", "", "configMap.name: Required value"),
        ("volumes: [{name: v, secret: {defaultMode: 0o1000}}]", "", "must be a number between 0 and 0777 (octal)"),
        ("volumes: [{name: v, configMap: {name: a, items: [{key: a, path: ../b}]}}]", "", "must not contain '..'"),
        ("volumes: [{name: v, configMap: {name: a, items: [{key: a, path: ..b}]}}]", "", "must not start with '..'"),
        (
            "volumes: [{name: v, downwardAPI: {items: [{path: a}]}}]",
            "",
            "one of fieldRef and resourceFieldRef is required",
        ),
        (
            f"{PROJECTED}[{{configMap: {{{ITEM}}}}}, {{secret: {{{ITEM}}}}}]}}}}]",
            "",
            'sources[1].secret.items[0].path: Invalid value: "p": conflicting duplicate paths',
        ),
        (
            f"{PROJECTED}[{{configMap: {{{ITEM}}}}}, {{serviceAccountToken: {{path: p}}}}]}}}}]",
            "",
            "conflicting duplicate paths",
        ),
        (
            "volumes: [{name: v, projected: {sources: [{configMap: {name: a}, secret: {name: b}}]}}]",
            "",
            "may not specify more than 1 volume type per source",
        ),
        (
            "volumes: [{name: v, projected: {sources: [{serviceAccountToken: {path: t, expirationSeconds: 1}}]}}]",
            "",
            "may not specify a duration less than 10 minutes",
        ),
        (
            "volumes: [{name: v, projected: {sources: [{clusterTrustBundle: {path: a}}]}}]",
            "",
            "either name or signerName",
        ),
        ("volumes: [{name: v, image: {}}]", "", "image.reference: Required value"),
        # Mounts.
        ("volumes: [{name: v}]", "volumeMounts: [{name: v, mountPath: ''}]", "mountPath: Required value"),
        (
            "volumes: [{name: v}]",
            "volumeMounts: [{name: v, mountPath: /a}, {name: v, mountPath: /a}]",
            'volumeMounts[1].mountPath: Invalid value: "/a": must be unique',
        ),
        ("volumes: [{name: v}]", "volumeMounts: [{name: v, mountPath: /a, subPath: /b}]", "must be a relative path"),
        (
            "volumes: [{name: v}]",
            "volumeMounts: [{name: v, mountPath: /a, subPath: b, subPathExpr: c}]",
            "subPathExpr and subPath are mutually exclusive",
        ),
        (
            "volumes: [{name: v}]",
            "volumeMounts: [{name: v, mountPath: /a, mountPropagation: Bidirectional}]",
            "available only to privileged containers",
        ),
        (
            "volumes: [{name: v}]",
            "volumeMounts: [{name: v, mountPath: /a, recursiveReadOnly: Enabled}]",
            "may only be specified when readOnly is true",
        ),
        (
            "volumes: [{name: v}]",
            "volumeDevices: [{name: v, devicePath: /dev/x}]",
            "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode",
        ),
        # Scheduling.
        ("tolerations: [{key: a, operator: Like}]", "", "operator: Unsupported value"),
        ("tolerations: [{key: a, operator: Gt, value: '1'}]", "", 'Unsupported value: "Gt"'),
        (
            f"{NEAR} topologyKey: a, namespaces: [A.b]}}]}}}}",
            "",
            "podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].namespace",
        ),
        (f"{NEAR} topologyKey: ''}}]}}}}", "", "topologyKey: Required value"),
        (f"{NEAR} topologyKey: a, matchLabelKeys: [b]}}]}}}}", "", "when labelSelector is not set"),
        (
            f"{NEAR} topologyKey: a, labelSelector: {{}}, matchLabelKeys: [/b], mismatchLabelKeys: [/b]}}]}}}}",
            "",
            "exists in both matchLabelKeys and mismatchLabelKeys",
        ),
        (
            f"{NEAR} topologyKey: a, labelSelector: {{matchLabels: {{b: c}}}}, matchLabelKeys: [b]}}]}}}}",
            "",
            "exists in both matchLabelKeys and labelSelector",
        ),
        ("tolerations: [{value: a}]", "", "operator must be Exists when `key` is empty"),
        ("tolerations: [{key: a, effect: Never}]", "", "effect: Unsupported value"),
        ("tolerations: [{key: a, tolerationSeconds: 1}]", "", "effect must be 'NoExecute'"),
        ("nodeSelector: {'-a': b}", "", "spec.nodeSelector: Invalid value"),
        ("topologySpreadConstraints: [{maxSkew: 0, topologyKey: a, whenUnsatisfiable: DoNotSchedule}]", "", "maxSkew"),
        ("nodeName: a, schedulingGates: [{name: b}]", "", "until all schedulingGates have been cleared"),
        (
            "affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: []}}}",
            "",
            "must have at least one node selector term",
        ),
        ("resourceClaims: [{name: a}]", "", "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`"),
        ("resources: {limits: {disk: 1}}", "", "spec.resources.limits[disk]: Unsupported value"),
        (
            "resources: {limits: {cpu: 1}, requests: {cpu: 100m}}",
            "resources: {requests: {cpu: 500m}}",
            "must be greater than or equal to aggregate container requests of 500m",
        ),
    ],
)
def test_pods_that_are_refused(spec: str, container: str, expected: str) -> None:
    found = faults(spec, container)
    assert any(expected in fault for fault in found), found


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ("{}", "metadata.name: Required value: name or generateName is required"),
        ("{name: A}", 'metadata.name: Invalid value: "A": a lowercase RFC 1123 subdomain'),
        ("{name: a, namespace: a.b}", 'metadata.namespace: Invalid value: "a.b": must not contain dots'),
        ("{name: a, labels: {'-a': b}}", "metadata.labels: Invalid value"),
        ("{name: a, labels: {a: ' b'}}", "a valid label must be an empty string or consist of"),
        ("{name: a, annotations: {a/b/c: x}}", "a qualified name must be 'prefix/name'"),
        (
            f"{{name: a, annotations: {{a: {'x' * 262_144}}}}}",
            "metadata.annotations: Too long: may not be more than 262144",
        ),
    ],
)
def test_metadata_that_is_refused(metadata: str, expected: str) -> None:
    problems = validate_pod(read(f"{{metadata: {metadata}, spec: {{containers: [{{name: c, image: x}}]}}}}", Pod))
    assert any(expected in str(problem) for problem in problems)


def test_a_pod_needs_containers() -> None:
    problems = list(validate_pod(read("{metadata: {generateName: a-}, spec: {}}", Pod)))
    assert [str(problem) for problem in problems] == ["spec.containers: Required value"]
