"""Who gets which address."""

from __future__ import annotations

from ipaddress import IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.errors import ResourceExhausted
from podwright.runtime.model.ids import SandboxId
from podwright.runtime.model.sandbox import PortMapping
from podwright.runtime.network.ipam import AddressLease, AddressPool, Leases, gateway_of, veth_address, veth_name
from podwright.runtime.state import Database
from tests.harness.scratch import Scratch

SUBNET = IPv4Network("10.199.0.0/29")  # the bridge is .1, pods are .2 to .6


def test_addresses_in_turn_skipping_network_bridge_and_broadcast() -> None:
    pool = AddressPool(SUBNET)
    assert [pool.take(f"pod{number}") for number in range(5)] == [f"10.199.0.{last}" for last in range(2, 7)]
    with pytest.raises(ResourceExhausted, match=r"all 5 addresses of 10\.199\.0\.0/29"):
        pool.take("late")


def test_a_freed_address_is_not_used_again_at_once() -> None:
    pool = AddressPool(SUBNET)
    pool.release(pool.take("a"))
    assert pool.take("b") == "10.199.0.3"


def test_an_address_that_is_kept_for_a_pod() -> None:
    pool = AddressPool(SUBNET)
    pool.remember("10.199.0.3", "a")
    pool.remember("10.199.0.4", "b")
    pool.remember("203.0.113.1", "of an earlier subnet")
    assert [pool.take(pod) for pod in ("c", "a", "d", "e")] == [f"10.199.0.{last}" for last in (2, 3, 5, 6)]
    assert pool.take("f") == "10.199.0.4"  # better than none
    with pytest.raises(ResourceExhausted):
        pool.take("b")


def test_what_is_kept_longest_goes_first() -> None:
    pool = AddressPool(SUBNET)
    for last, pod in enumerate("abcde", start=2):
        pool.remember(f"10.199.0.{last}", pod)
    pool.remember("10.199.0.2", "a")  # it was here again
    assert pool.take("new") == "10.199.0.3"
    assert pool.forget_oldest(2) == ["10.199.0.3", "10.199.0.4", "10.199.0.5"]
    assert pool.take("b") == "10.199.0.4"
    assert pool.take("a") == "10.199.0.2"


def test_a_pod_that_moves_leaves_nothing_behind() -> None:
    pool = AddressPool(SUBNET)
    pool.remember("10.199.0.2", "a")
    pool.remember("10.199.0.3", "a")
    pool.remember("10.199.0.3", "b")
    assert [pool.last_pod(f"10.199.0.{last}") for last in (2, 3)] == ["", "b"]
    assert pool.take("a") == "10.199.0.2"


def test_the_smallest_subnet_has_one_pod() -> None:
    pool = AddressPool(IPv4Network("10.0.0.0/30"))
    assert str(gateway_of(pool.subnet)) == "10.0.0.1/30"
    assert pool.take("a") == "10.0.0.2"
    with pytest.raises(ResourceExhausted):
        pool.take("b")


def test_addresses_of_an_earlier_subnet_do_no_harm() -> None:
    pool = AddressPool(SUBNET)
    for address in ("192.0.2.7", "1.1.1.1"):
        pool.occupy(address)
        pool.release(address)
    assert pool.take("a") == "10.199.0.2"


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 8)), max_size=60))
def test_no_address_is_given_twice(steps: list[tuple[bool, int]]) -> None:
    pool, held = AddressPool(SUBNET), dict[int, str]()
    for take, pod in steps:
        if not take:
            pool.release(held.pop(pod, "10.199.0.2" if "10.199.0.2" not in held.values() else "192.0.2.1"))
        elif pod not in held:
            try:
                address = pool.take(f"pod{pod}")
            except ResourceExhausted:
                assert len(held) == 5
                continue
            assert address not in held.values()
            held[pod] = address


@given(st.ip_addresses(v=4))
def test_veth_names_mean_addresses(address: object) -> None:
    assert veth_address(veth_name(str(address))) == str(address)


@pytest.mark.parametrize("name", ["", "pw", "pwtest0", "pwzzzzzzzz", "veth123456", "pw0ac70902x", "pw 0ac7090"])
def test_other_names_mean_none(name: str) -> None:
    assert veth_address(name) is None


def test_leases_survive(scratch: Scratch) -> None:
    root = str(scratch.part("ipam").directory)
    one, two = SandboxId("one"), SandboxId("two")
    database = Database(root)
    leases = Leases(SUBNET, database)
    port = PortMapping(container_port=80, host_port=8080)
    lease = leases.take(one, "ns/a", (port,))
    leases.drop(two)
    leases.mark_releasing(one, lease)
    database.close()

    database = Database(root)
    leases = Leases(SUBNET, database)
    assert leases.all() == {
        one: AddressLease(addresses=("10.199.0.2",), pod="ns/a", ports=(port,), releasing=True, subnet=str(SUBNET))
    }
    assert leases.take(two, "ns/b", ()).addresses == ("10.199.0.3",)
    leases.drop(one)
    assert leases.get(one) is None
    database.close()


def test_a_pod_gets_its_address_again(scratch: Scratch) -> None:
    """Under another sandbox's id, and after a restart."""
    root = str(scratch.part("ipam").directory)
    database = Database(root)
    leases = Leases(SUBNET, database)
    for number, pod in enumerate(("ns/a", "ns/b", "ns/c")):
        leases.take(SandboxId(str(number)), pod, ())
    for number in range(3):
        leases.drop(SandboxId(str(number)))
    database.close()

    database = Database(root)
    leases = Leases(SUBNET, database)
    assert leases.take(SandboxId("new"), "ns/other", ()).addresses == ("10.199.0.5",)
    assert leases.take(SandboxId("again"), "ns/b", ()).addresses == ("10.199.0.3",)
    assert leases.take(SandboxId("second"), "ns/b", ()).addresses == ("10.199.0.6",)
    database.close()


def test_an_address_that_somebody_else_has_stays_taken(scratch: Scratch) -> None:
    database = Database(str(scratch.part("ipam").directory))
    leases = Leases(SUBNET, database)
    leases.take(SandboxId("one"), "ns/a", ())
    leases.drop(SandboxId("one"), keep_addresses=True)
    assert leases.take(SandboxId("one"), "ns/a", ()).addresses == ("10.199.0.3",)
    database.close()
