"""The host name and domain of a pod. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from podwright.errors import InvalidArgument
from podwright.k8s.names import label_faults, subdomain_faults
from podwright.k8s.objects import Pod

HOST_NAME_MAX = 63  # sethostname(2) accepts 64 bytes, but some readers need a zero byte at the end
FQDN_MAX = 64


class PodNames(msgspec.Struct, frozen=True, kw_only=True):
    """`host` is the short name, `domain` is empty for a pod without a subdomain."""

    host: str
    domain: str = ""


def pod_names(pod: Pod, cluster_domain: str) -> PodNames:
    """The short name and the domain, for /etc/hosts. Raises InvalidArgument."""
    spec = pod.spec
    if spec.hostname_override is not None:
        _check("HostnameOverride", spec.hostname_override, "DNS subdomain", subdomain_faults)
        return PodNames(host=_shortened(pod, spec.hostname_override))
    if spec.hostname:
        _check("Hostname", spec.hostname, "DNS label", label_faults)
    host = _shortened(pod, spec.hostname or pod.metadata.name)
    if not spec.subdomain:
        return PodNames(host=host)
    _check("Subdomain", spec.subdomain, "DNS label", label_faults)
    return PodNames(host=host, domain=f"{spec.subdomain}.{pod.metadata.namespace}.svc.{cluster_domain}")


def sandbox_hostname(pod: Pod, cluster_domain: str) -> str:
    """The host name in the pod's UTS namespace. Empty on the host's network. Raises InvalidArgument."""
    if pod.spec.host_network:
        return ""
    names = pod_names(pod, cluster_domain)
    if not names.domain or not pod.spec.set_hostname_as_fqdn:
        return names.host
    name = f"{names.host}.{names.domain}"
    if len(name) > FQDN_MAX:
        raise InvalidArgument(
            "failed to construct FQDN from pod hostname and cluster domain, "
            f"FQDN {name} is too long ({FQDN_MAX} characters is the max, {len(name)} characters requested)",
            hint="unset setHostnameAsFQDN, or shorten hostname or subdomain",
        )
    return name


def _shortened(pod: Pod, name: str) -> str:
    if len(name) <= HOST_NAME_MAX:
        return name
    short = name[:HOST_NAME_MAX].rstrip("-.")
    if not short:
        raise InvalidArgument(f'hostname for pod "{pod.metadata.name}" was invalid: "{name}"')
    return short


def _check(field: str, name: str, kind: str, faults_of: Callable[[str], Iterator[str]]) -> None:
    if faults := list(faults_of(name)):
        raise InvalidArgument(f'pod {field} "{name}" is not a valid {kind}: {";".join(faults)}')
