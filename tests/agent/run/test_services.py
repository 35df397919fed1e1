"""Services without a proxy: the pod that each leads to, its variables and names."""

from __future__ import annotations

import pytest

from podwright.agent.run.services import Backends, target_number
from podwright.k8s.objects import HostAlias, PodStatus, Service
from tests.agent.run.build import ended, load, plan, pod_text, running, service_text, workload

WEB = pod_text("web", metadata="labels: {app: web}", container="ports: [{name: http, containerPort: 8080}]")
CLIENT = pod_text("client")


def backends(*texts: str, **statuses: PodStatus) -> Backends:
    """The statuses by the pods' names."""
    made = plan(*texts)
    by_name = {pod.metadata.name: pod.metadata.uid for pod in made.all_pods()}
    return Backends(
        services=made.services,
        pods=made.all_pods(),
        statuses={by_name[name.replace("_", "-")]: status for name, status in statuses.items()},
    )


def test_a_service_has_the_address_and_port_of_its_pod() -> None:
    found = backends(WEB, service_text(spec="ports: [{port: 80, targetPort: http}]"), web=running("10.0.0.5"))
    (service,) = found.listed()
    assert service.spec.cluster_ip == "10.0.0.5"
    assert [port.port for port in service.spec.ports] == [8080]


def test_a_service_whose_pod_has_no_address_is_not_listed() -> None:
    assert backends(WEB, service_text(), web=running()).listed() == ()
    assert backends(WEB, service_text()).listed() == ()


def test_a_headless_service_keeps_its_lack_of_an_address() -> None:
    found = backends(WEB, service_text(spec="clusterIP: None"), web=running("10.0.0.5"))
    assert [service.spec.cluster_ip for service in found.listed()] == ["None"]
    assert found.aliases("default")[0].hostnames[0] == "web"


def test_a_ready_pod_is_chosen_before_others() -> None:
    texts = (workload("StatefulSet", spec="replicas: 3, podManagementPolicy: Parallel"), service_text())
    found = backends(*texts, web_0=ended(), web_1=running("10.0.0.1"), web_2=running("10.0.0.2", ready=True))
    assert found.listed()[0].spec.cluster_ip == "10.0.0.2"
    found = backends(*texts, web_0=ended(), web_1=running("10.0.0.1"), web_2=running("10.0.0.2"))
    assert found.listed()[0].spec.cluster_ip == "10.0.0.1"


@pytest.mark.parametrize(
    ("namespace", "names"),
    [
        ("default", ("web", "web.default", "web.default.svc", "web.default.svc.cluster.local")),
        ("other", ("web.default", "web.default.svc", "web.default.svc.cluster.local")),
    ],
)
def test_names_depend_on_the_namespace(namespace: str, names: tuple[str, ...]) -> None:
    found = backends(WEB, service_text(), web=running("10.0.0.5"))
    assert found.aliases(namespace) == (HostAlias(ip="10.0.0.5", hostnames=names),)


def test_pods_of_a_headless_service_have_names_of_their_own() -> None:
    found = backends(
        workload("StatefulSet", name="db", spec="serviceName: db, replicas: 1"),
        service_text("db", spec="clusterIP: None"),
        db_0=running("10.0.0.7"),
    )
    assert [alias.hostnames[0] for alias in found.aliases("default")] == ["db", "db-0.db"]


def test_a_pod_keeps_its_own_aliases() -> None:
    own = pod_text("client", spec="hostAliases: [{ip: 10.9.9.9, hostnames: [x]}]")
    found = backends(WEB, own, service_text(), web=running("10.0.0.5"))
    client = next(pod for pod in found.pods if pod.metadata.name == "client")
    assert [alias.ip for alias in found.with_names(client).spec.host_aliases] == ["10.9.9.9", "10.0.0.5"]


@pytest.mark.parametrize(
    ("statuses", "awaited"),
    [
        pytest.param({}, True, id="nothing known"),
        pytest.param({"web": running()}, True, id="no address yet"),
        pytest.param({"web": running("10.0.0.5")}, False, id="an address"),
        pytest.param({"web": ended(1)}, False, id="it will never have one"),
    ],
)
def test_who_may_use_a_service_waits_for_its_address(statuses: dict[str, PodStatus], awaited: bool) -> None:
    found = backends(WEB, CLIENT, service_text(), **statuses)
    web, client = found.pods
    assert found.is_awaited(client) is awaited
    assert not found.is_awaited(web)


def test_pods_of_services_wait_in_the_order_of_the_files() -> None:
    database = pod_text("db", metadata="labels: {app: db}")
    services = (service_text("db", selector="app: db"), service_text())
    found = backends(WEB, database, *services)
    assert [found.is_awaited(pod) for pod in found.pods] == [True, False]
    found = backends(WEB, database, *services, db=running("10.0.0.8"))
    assert [found.is_awaited(pod) for pod in found.pods] == [False, False]
    found = backends(WEB, database, *reversed(services))
    assert [found.is_awaited(pod) for pod in found.pods] == [False, True]


def test_nobody_waits_for_a_service_without_pods_or_of_another_namespace() -> None:
    other = service_text("other", selector="app: none")
    assert not backends(CLIENT, other).is_awaited(plan(CLIENT).all_pods()[0])
    abroad = service_text().replace("name: web", "name: web, namespace: far")
    pods = pod_text(metadata="labels: {app: web}, namespace: far")
    found = backends(pods, CLIENT, abroad)
    assert not found.is_awaited(found.pods[1])


@pytest.mark.parametrize(("target", "number"), [(80, 80), ("http", 8080), ("none", None), (None, None)])
def test_target_ports(target: int | str | None, number: int | None) -> None:
    assert target_number(target, plan(WEB).all_pods()[0]) == number


def test_a_service_is_read_with_its_defaults() -> None:
    (service,) = load(service_text()).of(Service)
    assert (service.spec.type, service.spec.ports[0].target_port) == ("ClusterIP", 80)
