"""Projected volumes: several sources that share one directory, so that no two may write the same path."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from podwright.k8s.names import file_path_faults, subdomain_faults
from podwright.k8s.objects.volume import (
    ClusterTrustBundleProjection,
    ConfigMapProjection,
    PodCertificateProjection,
    ProjectedVolumeSource,
    SecretProjection,
    ServiceAccountTokenProjection,
    VolumeProjection,
)
from podwright.k8s.problems import Problem, forbidden, invalid, required
from podwright.k8s.validation.common import file_mode, named, one_of
from podwright.k8s.validation.volume_files import validate_downward_files, validate_keys

KEY_TYPES = ("RSA3072", "RSA4096", "ECDSAP256", "ECDSAP384", "ECDSAP521", "ED25519")
TOKEN_SECONDS_MIN, TOKEN_SECONDS_MAX = 600, 1 << 32
CERTIFICATE_SECONDS_MIN, CERTIFICATE_SECONDS_MAX = 3600, 91 * 86400


def validate_projected(path: str, source: ProjectedVolumeSource) -> Iterator[Problem]:
    """Every source, and the paths of all of them together."""
    yield from file_mode(f"{path}.defaultMode", source.default_mode)
    seen: set[str] = set()
    for index, projection in enumerate(source.sources):
        here = f"{path}.sources[{index}]"
        yield from _source(here, projection)
        for where, file in _files(here, projection):
            if file and file in seen:
                yield invalid(where, file, "conflicting duplicate paths")
            seen.add(file)


def _source(path: str, projection: VolumeProjection) -> Iterator[Problem]:
    given = _given(projection)
    if len(given) > 1:
        yield forbidden(path, "may not specify more than 1 volume type per source")
    for wire, source in given.items():
        here = f"{path}.{wire}"
        match source:
            case ConfigMapProjection() | SecretProjection():
                yield from named(f"{here}.name", source.name, subdomain_faults)
                yield from validate_keys(here, source.items)
            case ServiceAccountTokenProjection():
                yield from _token(here, source)
            case ClusterTrustBundleProjection():
                yield from _trust_bundle(here, source)
            case PodCertificateProjection():
                yield from _certificate(here, source)
            case _:
                yield from validate_downward_files(here, source.items)


def _given(projection: VolumeProjection) -> dict[str, Any]:
    names = zip(projection.__struct_fields__, projection.__struct_encode_fields__, strict=True)
    sources = {wire: getattr(projection, attribute) for attribute, wire in names}
    return {wire: source for wire, source in sources.items() if source is not None}


def _files(path: str, projection: VolumeProjection) -> Iterator[tuple[str, str]]:
    """(field path, file) of all files whose names the manifest says."""
    for wire, source in _given(projection).items():
        here = f"{path}.{wire}"
        match source:
            case ServiceAccountTokenProjection() | ClusterTrustBundleProjection():
                yield f"{here}.path", source.path
            case PodCertificateProjection():
                yield f"{here}.credentialBundlePath", source.credential_bundle_path
                yield f"{here}.keyPath", source.key_path
                yield f"{here}.certificateChainPath", source.certificate_chain_path
            case _:
                for index, item in enumerate(source.items):
                    yield f"{here}.items[{index}].path", item.path


def _token(path: str, token: ServiceAccountTokenProjection) -> Iterator[Problem]:
    seconds = token.expiration_seconds
    if seconds is not None and seconds < TOKEN_SECONDS_MIN:
        yield invalid(f"{path}.expirationSeconds", seconds, "may not specify a duration less than 10 minutes")
    if seconds is not None and seconds > TOKEN_SECONDS_MAX:
        yield invalid(f"{path}.expirationSeconds", seconds, "may not specify a duration larger than 2^32 seconds")
    yield from named(f"{path}.path", token.path, file_path_faults)


def _trust_bundle(path: str, bundle: ClusterTrustBundleProjection) -> Iterator[Problem]:
    if bundle.name is not None and bundle.signer_name is not None:
        yield invalid(path, bundle.name, "only one of name and signerName may be used")
    elif bundle.name is not None:
        if not bundle.name:
            yield required(f"{path}.name", "must be a valid object name")
        if bundle.label_selector is not None:
            yield invalid(f"{path}.labelSelector", "", "labelSelector must be unset if name is specified")
    elif not bundle.signer_name:
        yield required(path, "either name or signerName must be specified")
    yield from named(f"{path}.path", bundle.path, file_path_faults)


def _certificate(path: str, certificate: PodCertificateProjection) -> Iterator[Problem]:
    if not certificate.signer_name:
        yield required(f"{path}.signerName")
    yield from one_of(f"{path}.keyType", certificate.key_type, KEY_TYPES)
    seconds = certificate.max_expiration_seconds
    if seconds is not None and not CERTIFICATE_SECONDS_MIN <= seconds <= CERTIFICATE_SECONDS_MAX:
        message = f"must be >= {CERTIFICATE_SECONDS_MIN} and <= {CERTIFICATE_SECONDS_MAX}"
        yield invalid(f"{path}.maxExpirationSeconds", seconds, message)
    files = (
        ("credentialBundlePath", certificate.credential_bundle_path),
        ("keyPath", certificate.key_path),
        ("certificateChainPath", certificate.certificate_chain_path),
    )
    for wire, file in files:
        yield from named(f"{path}.{wire}", file, file_path_faults, needed=False)
    if not any(file for _, file in files):
        yield required(path, "specify at least one of credentialBundlePath, keyPath, and certificateChainPath")
