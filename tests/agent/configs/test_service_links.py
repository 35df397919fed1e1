"""Variables about services, as the API's documentation shows them."""

from __future__ import annotations

from podwright.agent.configs.service_links import service_links
from podwright.k8s.objects import ObjectMeta, Service, ServicePort, ServiceSpec


def service(name: str, address: str, *ports: ServicePort, namespace: str = "default") -> Service:
    return Service(
        metadata=ObjectMeta(name=name, namespace=namespace), spec=ServiceSpec(cluster_ip=address, ports=ports)
    )


API = service("kubernetes", "10.0.0.1", ServicePort(name="https", port=443))
REDIS = service("redis-primary", "10.0.0.11", ServicePort(port=6379), ServicePort(name="m-x", port=53, protocol="UDP"))


def test_names_and_values() -> None:
    assert service_links([REDIS], "default", enabled=True) == {
        "REDIS_PRIMARY_SERVICE_HOST": "10.0.0.11",
        "REDIS_PRIMARY_SERVICE_PORT": "6379",
        "REDIS_PRIMARY_SERVICE_PORT_M_X": "53",
        "REDIS_PRIMARY_PORT": "tcp://10.0.0.11:6379",
        "REDIS_PRIMARY_PORT_6379_TCP": "tcp://10.0.0.11:6379",
        "REDIS_PRIMARY_PORT_6379_TCP_PROTO": "tcp",
        "REDIS_PRIMARY_PORT_6379_TCP_PORT": "6379",
        "REDIS_PRIMARY_PORT_6379_TCP_ADDR": "10.0.0.11",
        "REDIS_PRIMARY_PORT_53_UDP": "udp://10.0.0.11:53",
        "REDIS_PRIMARY_PORT_53_UDP_PROTO": "udp",
        "REDIS_PRIMARY_PORT_53_UDP_PORT": "53",
        "REDIS_PRIMARY_PORT_53_UDP_ADDR": "10.0.0.11",
    }


def test_the_api_server_is_always_there() -> None:
    assert service_links([REDIS, API], "other", enabled=False)["KUBERNETES_SERVICE_HOST"] == "10.0.0.1"
    own = service("kubernetes", "10.9.9.9", ServicePort(port=1), namespace="other")
    assert service_links([API, own], "other", enabled=True)["KUBERNETES_SERVICE_HOST"] == "10.9.9.9"
    assert service_links([own, API], "other", enabled=True)["KUBERNETES_SERVICE_HOST"] == "10.9.9.9"


def test_what_gives_no_variables() -> None:
    headless, external = service("h", "None", ServicePort(port=1)), service("e", "")
    assert service_links([headless, external], "default", enabled=True) == {}
    assert service_links([REDIS], "other", enabled=True) == {}
    assert service_links([REDIS], "default", enabled=False) == {}


def test_ipv6_is_bracketed_in_urls_alone() -> None:
    links = service_links([service("x", "fd00::1", ServicePort(port=80))], "default", enabled=True)
    assert links["X_PORT"] == "tcp://[fd00::1]:80"
    assert links["X_SERVICE_HOST"] == links["X_PORT_80_TCP_ADDR"] == "fd00::1"
