"""Services without a proxy: each has the address of one of the pods that its selector matches. Pure.

A container gets the present address and port at its start, in the service's variables, and the name in /etc/hosts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec
from msgspec.structs import replace

from podwright.agent.run.statuses import Statuses, is_ready, is_terminal
from podwright.k8s.objects import HostAlias, Pod, Service, ServicePort
from podwright.k8s.selectors import from_labels

NO_ADDRESS = "None"


class Backends(msgspec.Struct, frozen=True, kw_only=True):
    """The present pods that services lead to."""

    services: tuple[Service, ...]
    pods: tuple[Pod, ...]
    statuses: Statuses

    def of(self, service: Service) -> list[Pod]:
        """The pods that the service's selector matches. A service without a selector leads nowhere."""
        if not service.spec.selector:
            return []
        selector = from_labels(service.spec.selector)
        return [
            pod
            for pod in self.pods
            if pod.metadata.namespace == service.metadata.namespace and selector.matches(pod.metadata.labels)
        ]

    def chosen(self, service: Service) -> Pod | None:
        """The first pod with an address, preferably a ready one."""
        found = [pod for pod in self.of(service) if self._address(pod) and not self._is_over(pod)]
        return next((pod for pod in found if is_ready(self.statuses[pod.metadata.uid])), found[0] if found else None)

    def listed(self) -> tuple[Service, ...]:
        """The services with the address and the ports of their pods, except those without a pod yet."""
        return tuple(_leading_to(service, pod, self._address(pod)) for service, pod in self._led())

    def aliases(self, namespace: str) -> tuple[HostAlias, ...]:
        """The lines of /etc/hosts for a pod of this namespace."""
        lines = [
            HostAlias(ip=self._address(pod), hostnames=_names(service, namespace)) for service, pod in self._led()
        ]
        return (*lines, *self._members(namespace))

    def with_names(self, pod: Pod) -> Pod:
        """The pod with the services' names in its /etc/hosts."""
        aliases = self.aliases(pod.metadata.namespace)
        if not aliases:
            return pod
        return replace(pod, spec=replace(pod.spec, host_aliases=(*pod.spec.host_aliases, *aliases)))

    def is_awaited(self, pod: Pod) -> bool:
        """Whether a pod should wait: no pod of a service that it may use has an address yet.

        A pod of a service may use the services before it in the files, so that no two pods wait for each other. Any
        other pod may use all services of its namespace.
        """
        for service in self.services:
            if service.metadata.namespace != pod.metadata.namespace:
                continue
            members = self.of(service)
            if any(member.metadata.uid == pod.metadata.uid for member in members):
                return False
            coming = [member for member in members if not self._is_over(member)]
            if coming and not any(self._address(member) for member in coming):
                return True
        return False

    def _led(self) -> Iterator[tuple[Service, Pod]]:
        for service in self.services:
            if (pod := self.chosen(service)) is not None:
                yield service, pod

    def _members(self, namespace: str) -> Iterator[HostAlias]:
        """The names of pods of headless services, such as a StatefulSet's: POD.SERVICE."""
        headless = {
            (service.metadata.namespace, service.metadata.name)
            for service in self.services
            if service.spec.cluster_ip == NO_ADDRESS
        }
        for pod in self.pods:
            home, subdomain, host = pod.metadata.namespace, pod.spec.subdomain, pod.spec.hostname
            if host and (home, subdomain) in headless and self._address(pod) and not self._is_over(pod):
                names = _qualified(f"{host}.{subdomain}", home, namespace)
                yield HostAlias(ip=self._address(pod), hostnames=names)

    def _address(self, pod: Pod) -> str:
        status = self.statuses.get(pod.metadata.uid)
        return status.pod_ip if status is not None else ""

    def _is_over(self, pod: Pod) -> bool:
        status = self.statuses.get(pod.metadata.uid)
        return status is not None and is_terminal(status)


def target_number(target: int | str | None, pod: Pod) -> int | None:
    """The number of a service's targetPort in a pod. None for an unknown name."""
    if isinstance(target, int):
        return target
    for container in (*pod.spec.init_containers, *pod.spec.containers):
        for port in container.ports:
            if port.name and port.name == target:
                return port.container_port
    return None


def _leading_to(service: Service, pod: Pod, address: str) -> Service:
    if service.spec.cluster_ip == NO_ADDRESS:  # headless: no variables, as in a cluster
        return service
    ports = tuple(_led_port(port, pod) for port in service.spec.ports)
    spec = replace(service.spec, cluster_ip=address, cluster_ips=(address,), ports=ports)
    return replace(service, spec=spec)


def _led_port(port: ServicePort, pod: Pod) -> ServicePort:
    return replace(port, port=target_number(port.target_port, pod) or port.port)


def _names(service: Service, namespace: str) -> tuple[str, ...]:
    metadata = service.metadata
    return _qualified(metadata.name, metadata.namespace, namespace)


def _qualified(name: str, home: str, namespace: str) -> tuple[str, ...]:
    """The forms of the name that pods of `namespace` may use."""
    longer = (f"{name}.{home}", f"{name}.{home}.svc", f"{name}.{home}.svc.cluster.local")
    return (name, *longer) if home == namespace else longer


def unmatched(services: Iterable[Service], pods: Iterable[Pod]) -> Iterator[str]:
    """A warning for each service whose selector matches no pod of the files."""
    backends = Backends(services=(), pods=tuple(pods), statuses={})
    for service in services:
        if service.spec.selector and not backends.of(service):
            yield f"Service {service.metadata.name}: spec.selector matches no pod of the files: its name leads nowhere"
