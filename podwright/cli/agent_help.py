"""The text of `podwright agent --help`: flags and fields that take effect, and the names of all others."""

from __future__ import annotations

import textwrap

import click

from podwright.agent.config.setting import Setting
from podwright.agent.config.settings import BY_FLAG, FIELDS, FLAGS

ABOUT = {
    "address": "The address of the node's API and of the read-only port.",
    "agent-socket": "Where people ask this agent: podwright pods, podwright describe.",
    "allowed-unsafe-sysctls": "Sysctls beyond the safe ones that pods may set; a * ends a pattern.",
    "anonymous-auth": "Let requests without credentials be those of system:anonymous.",
    "authentication-token-webhook": "Ask the API server whose bearer tokens are.",
    "authentication-token-webhook-cache-ttl": "How long its answers about tokens are kept.",
    "authorization-mode": "Who may use the API: Webhook asks the API server, AlwaysAllow asks nobody.",
    "authorization-webhook-cache-authorized-ttl": "How long an answer that allows is kept.",
    "authorization-webhook-cache-unauthorized-ttl": "How long an answer that denies is kept.",
    "bootstrap-kubeconfig": "Credentials to ask for a client certificate with, while --kubeconfig does not exist.",
    "cert-dir": "The folder of the server's own certificate, made when --tls-cert-file names none.",
    "cgroup-driver": "cgroupfs or systemd.",
    "cgroup-root": "The cgroup above those of all pods.",
    "cgroups-per-qos": "Keep a cgroup per quality-of-service class and per pod.",
    "client-ca-file": "The authorities whose client certificates are users, with their groups.",
    "cluster-dns": "DNS servers of pods whose dnsPolicy is ClusterFirst.",
    "cluster-domain": "The domain that pods search besides the host's.",
    "config": "A file with a KubeletConfiguration.",
    "config-dir": "A folder of drop-ins: all *.conf below it, merged in the order of their names.",
    "container-log-max-files": "How many log files a container keeps, at least 2.",
    "container-log-max-size": "The size at which a container's log is rotated.",
    "container-runtime-endpoint": "The CRI server.",
    "cpu-cfs-quota": "Enforce CPU limits.",
    "cpu-cfs-quota-period": "The period in which CPU limits are enforced, from 1ms to 1s.",
    "cpu-manager-policy": "none, or static: guaranteed pods get CPUs of their own.",
    "cpu-manager-policy-options": "Options of that policy, such as full-pcpus-only=true.",
    "cpu-manager-reconcile-period": "How often the CPUs of containers are put right.",
    "embedded": "Start a CRI server of our own instead of waiting for one.",
    "enable-debugging-handlers": "Serve logs, exec, attach, run and port-forward, too.",
    "enable-server": "Serve the node's API.",
    "enforce-node-allocatable": "Whether all pods together are limited to what is not reserved (pods, none).",
    "event-burst": "How many events may be sent at once above --event-qps.",
    "event-qps": "How many events may be sent in a second; 0: any number.",
    "eviction-hard": "When pods are evicted at once, such as memory.available<100Mi.",
    "eviction-max-pod-grace-period": "The longest grace of a pod that a soft threshold evicts, in seconds.",
    "eviction-minimum-reclaim": "How much more than the threshold an eviction frees.",
    "eviction-pressure-transition-period": "How long the node reports pressure after it has ended.",
    "eviction-soft": "When pods are evicted after a while, see --eviction-soft-grace-period.",
    "eviction-soft-grace-period": "How long a soft threshold may be met.",
    "exit-on-lock-contention": "End when another process opens the lock file.",
    "fail-cgroupv1": "Refuse to run on a host with cgroup v1.",
    "fail-swap-on": "Refuse to run on a host with swap.",
    "feature-gates": "Switch features; the gates of files and of this flag add up.",
    "file-check-frequency": "How often static pod files are read again.",
    "healthz-bind-address": "The address of /healthz.",
    "healthz-port": "The port of /healthz; 0 is off.",
    "help": "Show this.",
    "hostname-override": "The node's name, instead of the host's.",
    "http-check-frequency": "How often --manifest-url is read again.",
    "image-credential-provider-bin-dir": "The folder of the programs that give registry credentials.",
    "image-credential-provider-config": "Which of these programs gives credentials for which images.",
    "image-gc-high-threshold": "The disk usage, in percent, that makes unused images go.",
    "image-gc-low-threshold": "The disk usage, in percent, at which no more images go.",
    "image-service-endpoint": "The CRI image service, when it is another server.",
    "kernel-memcg-notification": "Let the kernel tell when memory runs short, between two rounds.",
    "kube-api-burst": "How many requests to the API server may come at once above --kube-api-qps.",
    "kube-api-qps": "How many requests to the API server may be sent in a second; 0: any number.",
    "kube-reserved": "What the node keeps for Kubernetes' own programs, such as cpu=100m,memory=200Mi.",
    "kube-reserved-cgroup": "The cgroup of Kubernetes' own programs, for --enforce-node-allocatable.",
    "kubeconfig": "How to reach the API server. Without it there is none.",
    "kubelet-cgroups": "The cgroup that the agent moves to.",
    "lenient-config": "Warn of unknown fields and of keys given twice, as a kubelet does, instead of refusing them.",
    "local-storage-capacity-isolation": "Enforce limits of ephemeral storage.",
    "lock-file": "A file that only one kubelet or agent holds; the others wait for it.",
    "manifest-url": "A URL with pods to run.",
    "manifest-url-header": "HTTP headers for --manifest-url; may be repeated.",
    "max-pods": "How many pods may run here.",
    "maximum-dead-containers": "How many ended containers are kept on this node; negative: any number.",
    "maximum-dead-containers-per-container": "How many ended instances of a container are kept.",
    "memory-manager-policy": "None, or Static: guaranteed pods get memory of fixed NUMA nodes.",
    "minimum-container-ttl-duration": "How long an ended container is kept at least.",
    "minimum-image-ttl-duration": "How long an unused image is kept at least.",
    "node-ip": "The node's address, or two of them for two IP families.",
    "node-labels": "Labels that the node registers with.",
    "node-status-max-images": "How many images the node's status names; -1: all of them.",
    "node-status-update-frequency": "How often the node's status is computed.",
    "oom-score-adj": "The agent's own oom_score_adj.",
    "pod-manifest-path": "The folder of static pods, or a single file.",
    "pod-max-pids": "How many processes a pod may have; -1: no limit of its own.",
    "pod-routes": "Keep routes to the pods of other nodes, by their pod CIDRs.",
    "pods-per-core": "How many pods may run here for each CPU, up to --max-pods; 0: no such limit.",
    "port": "The port of the node's API.",
    "print-config": "Print the effective KubeletConfiguration as YAML and end.",
    "provider-id": "What the machine is called at its cloud provider.",
    "read-only-port": "The port of /pods, /healthz and /metrics for everybody; 0 is off.",
    "register-node": "Register the node at the API server.",
    "register-with-taints": "Taints that the node registers with.",
    "registry-burst": "How many pulls may come at once above --registry-qps.",
    "registry-qps": "How many pulls may start in a second; 0: any number.",
    "reserved-cpus": "CPUs that no container gets as its own.",
    "reserved-memory": "Memory of each NUMA node that the memory manager leaves alone.",
    "resolv-conf": "The resolver configuration that pods get parts of.",
    "root-dir": "The folder of pods' volumes and of the agent's own state.",
    "rotate-certificates": "Renew the client certificate before it expires.",
    "rotate-server-certificates": "Ask the cluster for the server's certificate, and renew it.",
    "runtime-cgroups": "The CRI server's cgroup, for statistics; found by its socket when it is not set.",
    "runtime-request-timeout": "How long the CRI server may take for a request.",
    "seccomp-default": "Use the seccomp profile RuntimeDefault where a pod names none.",
    "serialize-image-pulls": "Pull one image at a time.",
    "streaming-connection-idle-timeout": "How long exec, attach and port-forward may be idle.",
    "sync-frequency": "How long a pod goes at most without being looked at.",
    "system-cgroups": "The cgroup that the system's processes are moved to.",
    "system-reserved": "What the node keeps for the system's programs.",
    "system-reserved-cgroup": "The cgroup of the system's programs, for --enforce-node-allocatable.",
    "tls-cert-file": "The server's certificate, read again when it changes.",
    "tls-cipher-suites": "The suites of TLS 1.2 that are spoken, by Go's names.",
    "tls-min-version": "The oldest version that is spoken: VersionTLS12 or VersionTLS13.",
    "tls-private-key-file": "The certificate's key.",
    "topology-manager-policy": "Which NUMA nodes a pod may use: none, best-effort, restricted, single-numa-node.",
    "topology-manager-policy-options": "Options of that policy.",
    "topology-manager-scope": "Whether a container or a whole pod has to fit: container, pod.",
    "v": "Log level, 0 to 10.",
    "version": "Show the version of Kubernetes whose kubelet this replaces, and end.",
    "volume-stats-agg-period": "How long a measurement of a volume is good; 0 and less: none is measured.",
}


def spelling(setting: Setting) -> str:
    """`-v, --v number`."""
    short = "-v, " if setting.flag == "v" else "-h, " if setting.flag == "help" else ""
    return f"{short}--{setting.flag}" + ("" if setting.kind.bare else f" {setting.kind.name}")


def write_help(formatter: click.HelpFormatter) -> None:
    """The sections below the usage."""
    flags = [BY_FLAG[name] for name in sorted(BY_FLAG)]
    with formatter.section("Flags"):
        formatter.write_dl([(spelling(flag), ABOUT[flag.flag]) for flag in flags if flag.honoured and not flag.ours])
    with formatter.section("Flags that a kubelet does not have"):
        formatter.write_dl([(spelling(flag), ABOUT[flag.flag]) for flag in FLAGS if flag.ours])
    for title, names in (
        ("Flags that are accepted and not honoured", [f"--{flag.flag}" for flag in flags if not flag.honoured]),
        ("Fields of KubeletConfiguration that are honoured", [field.key for field in FIELDS if field.honoured]),
        ("Fields that are accepted and not honoured", [field.key for field in FIELDS if not field.honoured]),
    ):
        with formatter.section(title):
            formatter.write(f"{_wrapped(names, formatter)}\n")


def _wrapped(names: list[str], formatter: click.HelpFormatter) -> str:
    """A paragraph that breaks no name. click would break names at their hyphens."""
    indent = " " * formatter.current_indent
    text = ", ".join(names)
    return textwrap.fill(
        text, formatter.width, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
    )
