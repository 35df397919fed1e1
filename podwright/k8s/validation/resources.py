"""Requests and limits."""

from __future__ import annotations

import re
from collections.abc import Iterator

from podwright.errors import InvalidArgument
from podwright.k8s.names import label_faults, qualified_name_faults
from podwright.k8s.objects.container import ResourceRequirements
from podwright.k8s.objects.pod import PodSpec
from podwright.k8s.pod_resources import (
    aggregate_requests,
    is_huge_pages,
    is_overcommit_allowed,
    is_pod_level,
)
from podwright.k8s.problems import Problem, duplicate, forbidden, invalid, not_found, required, unsupported
from podwright.k8s.quantity import Amount, parse

# A name with a dot or slash before it is an extended resource; these stand alone.
_CONTAINER_RESOURCES = frozenset({"cpu", "memory", "ephemeral-storage"})
_EXTENDED = re.compile(r"(?!requests\.)[^/]+/[^/]+")


def quantity(path: str, text: str) -> Iterator[Problem]:
    """A quantity that is not negative."""
    try:
        amount = parse(text)
    except InvalidArgument as failure:
        yield invalid(path, text, "must be a quantity", hint=failure.hint)
        return
    if amount.nano < 0:
        yield invalid(path, text, "must be greater than or equal to 0")


def validate_resources(
    path: str, resources: ResourceRequirements, *, claims: frozenset[str], of_pod: bool = False
) -> Iterator[Problem]:
    """Names, amounts, and requests within limits. `claims` are the pod's resource claims."""
    amounts: dict[tuple[str, str], Amount] = {}
    for kind, quantities in (("limits", resources.limits), ("requests", resources.requests)):
        for name, text in quantities.items():
            here = f"{path}.{kind}[{name}]"
            yield from _name(here, name, of_pod=of_pod)
            faults = list(quantity(here, text))
            yield from faults
            if not faults:
                amounts[kind, name] = parse(text)
                yield from _size(here, name, amounts[kind, name])
    for (kind, name), amount in amounts.items():
        if kind == "requests":
            yield from _within_limit(path, name, amount, amounts.get(("limits", name)))
    names = {name for _, name in amounts}
    if any(is_huge_pages(name) for name in names) and not names & {"cpu", "memory"}:
        yield forbidden(path, "HugePages require cpu or memory")
    yield from _claims(f"{path}.claims", resources, claims)


def validate_pod_resources(spec: PodSpec) -> Iterator[Problem]:
    """Requests and limits of the pod as a whole."""
    resources = spec.resources
    if resources is None:
        return
    if resources.claims:
        yield forbidden("spec.resources.claims", "claims may not be set for Resources at pod-level")
    faults = list(validate_resources("spec.resources", resources, claims=frozenset(), of_pod=True))
    yield from faults
    if faults:
        return
    try:
        needed = aggregate_requests(spec)
    except InvalidArgument:
        return  # named where it stands
    for name, amount in needed.items():
        text = resources.requests.get(name)
        if text is not None and amount > parse(text):
            message = f"must be greater than or equal to aggregate container requests of {amount}"
            yield invalid(f"spec.resources.requests[{name}]", text, message)


def _name(path: str, name: str, *, of_pod: bool) -> Iterator[Problem]:
    faults = list(qualified_name_faults(name))
    yield from (invalid(path, name, fault) for fault in faults)
    if faults:
        return
    if of_pod:
        if not is_pod_level(name):
            yield unsupported(path, name, ("cpu", "memory"))
    elif "/" not in name:
        if name not in _CONTAINER_RESOURCES and not is_huge_pages(name):
            yield invalid(path, name, "must be a standard resource for containers")
    elif "kubernetes.io/" not in name and not _EXTENDED.fullmatch(name):
        yield invalid(path, name, "doesn't follow extended resource name standard")


def _size(path: str, name: str, amount: Amount) -> Iterator[Problem]:
    if "/" in name and "kubernetes.io/" not in name and amount.milli % 1000:
        yield invalid(path, str(amount), "must be an integer")
    if is_huge_pages(name):
        try:
            page = parse(name.removeprefix("hugepages-")).nano
        except InvalidArgument:
            page = 0
        if not page or amount.nano % page:
            yield invalid(path, str(amount), f"{amount} is not positive integer multiple of {name}")


def _within_limit(path: str, name: str, amount: Amount, limit: Amount | None) -> Iterator[Problem]:
    overcommit = is_overcommit_allowed(name)
    if limit is None:
        if not overcommit:
            yield required(f"{path}.limits", "Limit must be set for non overcommitable resources")
    elif amount != limit and not overcommit:
        yield invalid(f"{path}.requests", str(amount), f"must be equal to {name} limit of {limit}")
    elif amount > limit:
        yield invalid(f"{path}.requests", str(amount), f"must be less than or equal to {name} limit of {limit}")


def _claims(path: str, resources: ResourceRequirements, claims: frozenset[str]) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, claim in enumerate(resources.claims):
        here = f"{path}[{index}]"
        if not claim.name:
            yield required(here)
            continue
        if claim.request:
            yield from (invalid(f"{here}.request", claim.request, fault) for fault in label_faults(claim.request))
        key = f"{claim.name}/{claim.request}" if claim.request else claim.name
        overlapping = claim.name in seen or (not claim.request and any(k.split("/")[0] == claim.name for k in seen))
        if key in seen or overlapping:
            yield duplicate(here, key)
        seen.add(key)
        if claim.name not in claims:
            yield not_found(here, claim.name)
