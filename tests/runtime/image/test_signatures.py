"""The signature policy, with signatures made by OpenSSL in a real registry."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from aiohttp import web

from podwright import errors
from podwright.cri.client import CriClient
from podwright.cri.v1 import api_pb2 as api
from tests.fixtures import FreshPodwright
from tests.harness.scripted_registry import ScriptedRegistry, fixed
from tests.runtime.image.node import MakeNode, Node
from tests.runtime.image.signing import (
    MANIFEST,
    Key,
    Signature,
    new_key,
    payload_for,
    push_referrer,
    push_tagged,
    signature_of,
)
from tools.images import Entry, Image, digest_of, image_of, index_of, layer_of
from tools.registry import Registry

pytestmark = pytest.mark.root

Push = Callable[[Registry, str, str, Signature], None]
IMAGE = image_of([layer_of([Entry("signed", 0o644, "file", b"content")])], {})


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Key]:
    """One of each kind, and another of the usual one."""
    folder = tmp_path_factory.mktemp("keys")
    kinds = ("p256", "p521", "rsa", "ed25519")
    return {kind: new_key(folder, kind) for kind in kinds} | {"other": new_key(folder, "p256", "other")}


@pytest.fixture
def key(keys: dict[str, Key]) -> Key:
    """The one that the policy asks for."""
    return keys["p256"]


def rules(prefix: str, *keys: Key, **more: str) -> dict[str, object]:
    """Images below the prefix have to be signed."""
    return {"rules": {prefix: {"action": "signed", "keys": [str(key.public) for key in keys], **more}}}


def signed(key: Key, identity: str, digest: str) -> tuple[str, bytes]:
    payload = payload_for(identity, digest)
    return key.sign(payload), payload


async def refused(node: Node, name: str, words: str) -> None:
    """The pull fails with CRI's words, under the code whose text the kubelet reads, and brings nothing."""
    before = node.leftovers()
    with pytest.raises(errors.Unknown, match=rf"^SignatureValidationFailed: {name}.*{words}"):
        await node.service.pull(name)
    assert node.leftovers() == before


@pytest.mark.parametrize("kind", ["p256", "p521", "rsa", "ed25519"])
@pytest.mark.parametrize("push", [push_tagged, push_referrer])
async def test_a_signed_image(
    push: Push, kind: str, make_node: MakeNode, registry: Registry, keys: dict[str, Key]
) -> None:
    repository = f"signed/{kind}-{push.__name__.replace('_', '-')}"
    node = await make_node(signatures=rules(registry.host, keys[kind]))
    digest = registry.push(f"{repository}:1", IMAGE)
    name = f"{registry.host}/{repository}"
    await refused(node, f"{name}:1", "its registry has no signature of it")
    push(registry, repository, digest, signature_of(signed(keys[kind], name, digest)))
    assert await node.service.pull(f"{name}:1") == IMAGE.image_id
    assert await node.service.pull(f"{name}@{digest}") == IMAGE.image_id


async def test_an_index_is_signed_as_a_whole(make_node: MakeNode, registry: Registry, key: Key) -> None:
    node = await make_node(signatures=rules(registry.host, key))
    digest = registry.push("signed/index:1", index_of([IMAGE]))
    name = f"{registry.host}/signed/index"
    push_tagged(registry, "signed/index", digest, signature_of(signed(key, name, digest)))
    assert await node.service.pull(f"{name}:1") == IMAGE.image_id
    await refused(node, f"{name}@{IMAGE.digest}", "no signature")


async def test_one_good_signature_of_several_is_enough(
    make_node: MakeNode, registry: Registry, keys: dict[str, Key]
) -> None:
    node = await make_node(signatures=rules(f"{registry.host}/signed", keys["ed25519"], keys["rsa"]))
    digest = registry.push("signed/several:1", IMAGE)
    name = f"{registry.host}/signed/several"
    several = signature_of(*(signed(keys[one], name, digest) for one in ("other", "p256", "rsa")))
    push_tagged(registry, "signed/several", digest, several)
    assert await node.service.pull(f"{name}:1") == IMAGE.image_id


OTHER_DIGEST = "sha256:" + "7" * 64
BAD: dict[str, tuple[Callable[[Key, Key, str, str], tuple[str, bytes]], str]] = {
    "wrong-key": (lambda _key, other, name, digest: signed(other, name, digest), "by another key"),
    "wrong-digest": (
        lambda key, _, name, _digest: signed(key, name, OTHER_DIGEST),
        f"another image, '{OTHER_DIGEST}'",
    ),
    "wrong-repository": (
        lambda key, _, name, digest: signed(key, f"{name}-evil", digest),
        "another repository, '.*-evil'",
    ),
    "no-repository": (lambda key, _, _name, digest: signed(key, "", digest), "another repository, ''"),
    "tampered-payload": (
        lambda key, _, name, digest: (key.sign(payload_for(name, OTHER_DIGEST)), payload_for(name, digest)),
        "over something else",
    ),
    "tampered-signature": (
        lambda key, _, name, digest: ("AAAA" + signed(key, name, digest)[0][4:], payload_for(name, digest)),
        "over something else",
    ),
    "no-base64": (lambda _key, _, name, digest: ("%%%", payload_for(name, digest)), "not base64"),
    "no-json": (lambda key, _, _name, _digest: (key.sign(b"<html>"), b"<html>"), "not that of a signature"),
    "another-type": (
        lambda key, _, name, digest: (
            key.sign(payload_for(name, digest, "attestation")),
            payload_for(name, digest, "attestation"),
        ),
        "type is 'attestation'",
    ),
}


@pytest.mark.parametrize("push", [push_tagged, push_referrer])
@pytest.mark.parametrize("bad", BAD)
async def test_signatures_that_prove_nothing(
    bad: str, push: Push, make_node: MakeNode, registry: Registry, keys: dict[str, Key]
) -> None:
    node = await make_node(signatures=rules(registry.host, keys["p256"]))
    repository = f"bad/{bad}-{push.__name__.replace('_', '-')}"
    digest = registry.push(f"{repository}:1", IMAGE)
    name = f"{registry.host}/{repository}"
    make, words = BAD[bad]
    push(registry, repository, digest, signature_of(make(keys["p256"], keys["other"], name, digest)))
    await refused(node, f"{name}:1", f"@{digest}: .*{words}")


async def test_a_signature_of_the_image_before(make_node: MakeNode, registry: Registry, key: Key) -> None:
    """A tag that was moved to something unsigned: what is here stays as it is."""
    node = await make_node(signatures=rules(registry.host, key))
    name, digest = f"{registry.host}/signed/moved", registry.push("signed/moved:1", IMAGE)
    push_tagged(registry, "signed/moved", digest, signature_of(signed(key, name, digest)))
    await node.service.pull(f"{name}:1")
    registry.push("signed/moved:1", image_of([layer_of([Entry("evil", 0o755)])], {}))
    await refused(node, f"{name}:1", "no signature")
    assert node.service.get(f"{name}:1").id == IMAGE.image_id


async def test_rules_by_prefix(make_node: MakeNode, registry: Registry, key: Key) -> None:
    for repository in ("free/app", "team/app", "team/open/app", "teams/app"):
        registry.push(f"{repository}:1", IMAGE)
    signatures = {
        "default": {"action": "reject"},
        "rules": {
            registry.host: {"action": "accept"},
            f"{registry.host}/team": {"action": "signed", "keys": [str(key.public)]},
            f"{registry.host}/team/open": {"action": "accept"},
            f"{registry.host}/free/secret": {"action": "reject"},
        },
    }
    node = await make_node(signatures=signatures)
    for repository in ("free/app", "team/open/app", "teams/app"):
        await node.service.pull(f"{registry.host}/{repository}:1")
    await refused(node, f"{registry.host}/team/app:1", "no signature")
    before = len(registry.accesses())
    await refused(node, f"{registry.host}/free/secret:1", "rejects it")
    await refused(node, "docker.io/library/busybox:latest", "signatures.default rejects it")
    assert len(registry.accesses()) == before


async def test_a_copy_keeps_the_signature_of_its_origin(make_node: MakeNode, registry: Registry, key: Key) -> None:
    node = await make_node(signatures=rules(f"{registry.host}/copies", key, signed_as="quay.io/team"))
    digest = registry.push("copies/app:1", IMAGE)
    push_tagged(registry, "copies/app", digest, signature_of(signed(key, "quay.io/team/app", digest)))
    assert await node.service.pull(f"{registry.host}/copies/app:1") == IMAGE.image_id


async def test_keys_that_cannot_be_used(
    make_node: MakeNode, registry: Registry, keys: dict[str, Key], tmp_path: Path
) -> None:
    """The files are read at each pull: mending them needs no restart."""
    file = Key(tmp_path, tmp_path / "key.pub", "p256")
    node = await make_node(signatures=rules(registry.host, file))
    name, digest = f"{registry.host}/signed/rotated", registry.push("signed/rotated:1", IMAGE)
    push_tagged(registry, "signed/rotated", digest, signature_of(signed(keys["p256"], name, digest)))
    await refused(node, f"{name}:1", "cannot read the public key .*key.pub: .*No such file")
    file.public.write_text("no key")
    await refused(node, f"{name}:1", "cannot read the public key .*key.pub")
    file.public.write_bytes(new_key(tmp_path, "x25519").public.read_bytes())
    await refused(node, f"{name}:1", "key.pub has a type")
    file.public.write_bytes(keys["p256"].public.read_bytes())
    assert await node.service.pull(f"{name}:1") == IMAGE.image_id


# What only a scripted registry can do


def serve(liar: ScriptedRegistry, image: Image, signature: Signature) -> None:
    liar.serve("app:1", image)
    liar.put(f"/v2/app/manifests/{signature.digest}", signature.manifest, MANIFEST)
    for blob in signature.blobs:
        liar.put_blob("app", blob)


async def test_the_referrers_api(make_node: MakeNode, liar: ScriptedRegistry, key: Key) -> None:
    node = await make_node(signatures=rules(liar.host, key))
    signature = signature_of(signed(key, f"{liar.host}/app", IMAGE.digest), subject={"digest": IMAGE.digest})
    serve(liar, IMAGE, signature)
    liar.put(f"/v2/app/referrers/{IMAGE.digest}", signature.referrers())
    assert await node.service.pull(f"{liar.host}/app:1") == IMAGE.image_id


@pytest.mark.parametrize("status", [400, 404, 405, 501])
async def test_registries_without_referrers(
    status: int, make_node: MakeNode, liar: ScriptedRegistry, key: Key
) -> None:
    node = await make_node(signatures=rules(liar.host, key))
    liar.serve("app:1", IMAGE)
    liar.answers[f"/v2/app/referrers/{IMAGE.digest}"] = fixed(status)
    await refused(node, f"{liar.host}/app:1", "no signature")


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b'{"layers": 5}',
        signature_of(("AA", b"x")).manifest.replace(digest_of(b"x").encode(), b"../../../etc"),
    ],
)
async def test_signatures_that_are_none(body: bytes, make_node: MakeNode, liar: ScriptedRegistry, key: Key) -> None:
    node = await make_node(signatures=rules(liar.host, key))
    liar.serve("app:1", IMAGE)
    liar.put(f"/v2/app/manifests/{IMAGE.digest.replace(':', '-')}.sig", body)
    await refused(node, f"{liar.host}/app:1", "cannot read its signatures")
    assert not [path for path in liar.paths() if "etc" in path]


async def test_signatures_without_number(make_node: MakeNode, liar: ScriptedRegistry, key: Key) -> None:
    """64 are looked at, and no more."""
    node = await make_node(signatures=rules(liar.host, key))
    payloads = [json.dumps({"number": number}).encode() for number in range(100)]
    many = signature_of(*(("AAAA", payload) for payload in payloads))
    serve(liar, IMAGE, many)
    liar.put(f"/v2/app/manifests/{IMAGE.digest.replace(':', '-')}.sig", many.manifest)
    await refused(node, f"{liar.host}/app:1", "by another key")
    assert len([path for path in liar.paths() if "/blobs/" in path]) == 64


async def test_a_registry_that_does_not_answer(make_node: MakeNode, liar: ScriptedRegistry, key: Key) -> None:
    """No proof is no pull, but the words are those of the trouble."""
    node = await make_node(signatures=rules(liar.host, key))
    liar.serve("app:1", IMAGE)

    async def broken(request: web.Request) -> web.StreamResponse:
        return await (fixed(500) if ".sig" in request.path else liar.honest)(request)

    liar.answers["*"] = broken
    with pytest.raises(errors.Unknown, match=r"^RegistryUnavailable: .*500"):
        await node.service.pull(f"{liar.host}/app:1")
    assert node.leftovers() == []


# Through the daemon


async def test_the_kubelet_reads_why(fresh_podwright: FreshPodwright, registry: Registry, key: Key) -> None:
    registry.push("daemon/unsigned:1", IMAGE)
    server = fresh_podwright({"signatures": rules(f"{registry.host}/daemon", key)})
    async with server.client() as cri:
        with pytest.raises(errors.Unknown, match=r"^SignatureValidationFailed: .*daemon/unsigned:1@sha256:"):
            await _pull(cri, f"{registry.host}/daemon/unsigned:1")
        digest = registry.push("daemon/signed:1", IMAGE)
        name = f"{registry.host}/daemon/signed"
        push_tagged(registry, "daemon/signed", digest, signature_of(signed(key, name, digest)))
        assert await _pull(cri, f"{name}:1") == IMAGE.image_id


async def _pull(cri: CriClient, image: str) -> str:
    request = api.PullImageRequest(image=api.ImageSpec(image=image))
    return (await cri.call(cri.images.PullImage, request)).image_ref
