"""Makes pods from templates: names, labels, owners, and the identity that a run gives them. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import msgspec
from msgspec.structs import replace

from podwright.agent.pods.identity import CONFIG_HASH, RUN_UID_PREFIX
from podwright.agent.pods.phases import PENDING
from podwright.agent.run.claims import ClaimFolders
from podwright.agent.run.naming import generated_name
from podwright.agent.sources.static import content_uid
from podwright.k8s.objects import ObjectMeta, OwnerReference, Pod, PodSpec, PodStatus, PodTemplateSpec
from podwright.k8s.objects.base import Kind


class PodMaker(msgspec.Struct, frozen=True, kw_only=True):
    """Makes the pods of a run.

    `run_id` makes UIDs that no earlier run has used, so that its leftovers at the runtime are not taken for this
    run's. The node's agent recognises the UIDs by their prefix, and ignores these pods.
    """

    run_id: str
    node_name: str
    folders: ClaimFolders

    def finish(self, pod: Pod) -> Pod:
        """The pod for the agent: with a name, a UID computed from its content, and folders for its claims."""
        metadata = pod.metadata
        name = metadata.name or generated_name(metadata.generate_name, self.run_id)
        pod = replace(
            pod,
            metadata=replace(metadata, name=name, generate_name=""),
            spec=replace(
                self.folders.resolve(pod),
                node_name=self.node_name,
                node_selector={},  # `losses` warns of both; with them the agent would refuse the pod
                affinity=None,
                dns_policy=_without_cluster(pod.spec.dns_policy),
            ),
        )
        uid = metadata.uid or f"{RUN_UID_PREFIX}{content_uid(pod, self.run_id)}"
        annotations = {**metadata.annotations, CONFIG_HASH: uid}
        return replace(
            pod,
            metadata=replace(pod.metadata, uid=uid, annotations=annotations),
            status=PodStatus(phase=PENDING),
        )

    def from_template(
        self,
        owner: Owner,
        template: PodTemplateSpec,
        name: str,
        *,
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
        spec: PodSpec | None = None,
    ) -> Pod:
        """A pod with this name, and more labels and annotations. `spec` replaces the template's."""
        metadata = ObjectMeta(
            name=name,
            namespace=owner.namespace,
            labels={**template.metadata.labels, **(labels or {})},
            annotations={**template.metadata.annotations, **(annotations or {})},
            owner_references=(owner.reference,),
        )
        return self.finish(Pod(api_version="v1", kind="Pod", metadata=metadata, spec=spec or template.spec))


def _without_cluster(dns_policy: str) -> str:
    """The policy without a cluster DNS: pods use this machine's servers, as with a kubelet without clusterDNS."""
    return "Default" if dns_policy in ("ClusterFirst", "ClusterFirstWithHostNet") else dns_policy


class Owner(msgspec.Struct, frozen=True, kw_only=True):
    """The object that a pod comes from."""

    api_version: str
    kind: str
    namespace: str
    name: str

    @property
    def uid(self) -> str:
        """A UID computed from the name, because the object has none."""
        text = f"{self.kind}/{self.namespace}/{self.name}"
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    @property
    def reference(self) -> OwnerReference:
        """The pod's reference to its controller."""
        return OwnerReference(
            api_version=self.api_version,
            kind=self.kind,
            name=self.name,
            uid=self.uid,
            controller=True,
            block_owner_deletion=True,
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


def owner_of(value: Kind, metadata: ObjectMeta) -> Owner:
    """The owner for an object of a file."""
    return Owner(
        api_version=value.API_VERSION, kind=type(value).__name__, namespace=metadata.namespace, name=metadata.name
    )
