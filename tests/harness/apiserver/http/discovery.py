"""Answers what kubectl requests first: groups, resources, version, and as much of OpenAPI as it needs."""

from __future__ import annotations

from typing import Any

from tests.harness.apiserver.resources import POSTED, SHORT_NAMES, Resource, all_resources

VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
VERSION = {
    "major": "1", "minor": "36", "gitVersion": "v1.36.0-podwright-tests", "gitCommit": "", "gitTreeState": "clean",
    "buildDate": "2026-01-01T00:00:00Z", "goVersion": "none", "compiler": "none", "platform": "linux/amd64",
}  # fmt: skip


def document(path: str) -> dict[str, Any] | None:
    """The answer to a path of discovery; None for other paths."""
    if path == "/version":
        return dict(VERSION)
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
    if path == "/apis":
        return {
            "kind": "APIGroupList",
            "apiVersion": "v1",
            "groups": [_group(each) for each in _versions() if "/" in each],
        }
    if path == "/openapi/v3":
        return {"paths": {_home(each)[1:]: {"serverRelativeURL": f"/openapi/v3{_home(each)}"} for each in _versions()}}
    for version in _versions():
        if path == _home(version):
            return _resources(version)
        if path == f"/openapi/v3{_home(version)}":
            return _openapi(version)
    return None


def _versions() -> list[str]:
    return sorted({version for version, _ in all_resources()})


def _home(version: str) -> str:
    return f"/apis/{version}" if "/" in version else f"/api/{version}"


def _group(version: str) -> dict[str, Any]:
    name, _, short = version.partition("/")
    entry = {"groupVersion": version, "version": short}
    return {"name": name, "versions": [entry], "preferredVersion": entry}


def _resources(version: str) -> dict[str, Any]:
    entries: list[dict[str, Any]] = []
    for resource in _of(version):
        entries.append(
            {
                "name": resource.plural,
                "singularName": resource.kind.lower(),
                "namespaced": resource.namespaced,
                "kind": resource.kind,
                "verbs": ["create"] if resource.review else VERBS,
                **({"shortNames": [SHORT_NAMES[resource.plural]]} if resource.plural in SHORT_NAMES else {}),
            }
        )
        entries += [_subresource(resource, name) for name in resource.subresources]
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": entries}


def _subresource(resource: Resource, name: str) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "name": f"{resource.plural}/{name}",
        "singularName": "",
        "namespaced": resource.namespaced,
    }
    if name in POSTED:
        version, kind = POSTED[name]
        group, _, short = version.rpartition("/")
        return {**entry, "kind": kind, "group": group, "version": short, "verbs": ["create"]}
    return {**entry, "kind": resource.kind, "verbs": ["get", "patch", "update"]}


def _openapi(version: str) -> dict[str, Any]:
    """kubectl looks here whether the server checks fields by itself (`fieldValidation`)."""
    group, _, short = version.rpartition("/")
    parameter = {"name": "fieldValidation", "in": "query", "schema": {"type": "string"}}
    paths = {
        f"{_home(version)}/{'namespaces/{namespace}/' if each.namespaced else ''}{each.plural}/{{name}}": {
            "patch": {
                "parameters": [parameter],
                "responses": {},
                "x-kubernetes-group-version-kind": {"group": group, "version": short, "kind": each.kind},
            }
        }
        for each in _of(version)
    }
    return {
        "openapi": "3.0.0",
        "info": {"title": "tests", "version": "v1"},
        "paths": paths,
        "components": {"schemas": {}},
    }


def _of(version: str) -> list[Resource]:
    return [each for each in all_resources().values() if each.version == version]
