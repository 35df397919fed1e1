"""The built-in validator: rejects what the configuration does not allow plug-ins to change. Pure."""

from __future__ import annotations

import msgspec

from podwright.errors import PermissionDenied
from podwright.runtime.config import NriValidatorSettings
from podwright.runtime.nri.api import nri_pb2 as pb

REQUIRED = "required-plugins.noderesource.dev"
ANNOTATION_LIMIT = 4096  # characters
YES, NO = frozenset({"1", "t", "T", "true", "TRUE", "True"}), frozenset({"0", "f", "F", "false", "FALSE", "False"})


def validate(settings: NriValidatorSettings, request: pb.ValidateContainerAdjustmentRequest) -> None:
    """Raises PermissionDenied with the reason."""
    owned = request.owners.owners.get(request.container.id, pb.FieldOwners())
    if settings.reject_oci_hook_adjustment and (who := owned.simple.get(pb.OciHooks)):
        raise PermissionDenied(f"OCI hooks may not be added, as by NRI plug-in {who}")
    if (who := owned.simple.get(pb.SeccompPolicy)) and _is_rejected(settings, request.container):
        raise PermissionDenied(f"the seccomp policy may not be changed, as by NRI plug-in {who}")
    for rejected, field, what in (
        (settings.reject_namespace_adjustment, pb.Namespace, "namespaces"),
        (settings.reject_sysctl_adjustment, pb.Sysctl, "sysctls"),
    ):
        owners = owned.compound[field].owners if field in owned.compound else {}
        if rejected and owners:
            who = ", ".join(sorted(set(owners.values())))
            raise PermissionDenied(f"{what} may not be changed, as by NRI plug-in {who}")
    _check_required(settings, request)


def _is_rejected(settings: NriValidatorSettings, container: pb.Container) -> bool:
    if not container.linux.HasField("seccomp_profile"):
        return settings.reject_unconfined_seccomp_adjustment
    return {
        pb.SecurityProfile.UNCONFINED: settings.reject_unconfined_seccomp_adjustment,
        pb.SecurityProfile.RUNTIME_DEFAULT: settings.reject_runtime_default_seccomp_adjustment,
        pb.SecurityProfile.LOCALHOST: settings.reject_custom_seccomp_adjustment,
    }[container.linux.seccomp_profile.profile_type]


def _check_required(settings: NriValidatorSettings, request: pb.ValidateContainerAdjustmentRequest) -> None:
    tolerated = settings.tolerate_missing_plugins_annotation
    if tolerated and (value := _annotation(request, tolerated)) is not None:
        if value in YES:
            return
        if value not in NO:
            raise PermissionDenied(f"annotation {tolerated} is {value[:40]!r}, which is neither true nor false")
    required = list(settings.required_plugins)
    if (value := _annotation(request, REQUIRED)) is not None:
        import yaml  # noqa: PLC0415 # 12 ms, and few pods have the annotation

        try:
            required += msgspec.convert(yaml.safe_load(value[:ANNOTATION_LIMIT]), list[str])
        except (yaml.YAMLError, msgspec.ValidationError, RecursionError) as nonsense:
            raise PermissionDenied(f"annotation {REQUIRED} is not a list of names") from nonsense
    present = {plugin.name for plugin in request.plugins}
    if missing := sorted(set(required) - present):
        raise PermissionDenied(f"required NRI plug-ins are not there: {', '.join(missing)}")


def _annotation(request: pb.ValidateContainerAdjustmentRequest, key: str) -> str | None:
    """The pod's for this container, for all containers, or for the pod (nri, pkg/plugin/annotations)."""
    annotations = request.pod.annotations
    for each in (f"{key}/container.{request.container.name}", f"{key}/pod", key):
        if each in annotations:
            return annotations[each]
    return None
