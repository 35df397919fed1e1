"""The file that names credential providers (CredentialProviderConfig of kubelet.config.k8s.io)."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import yaml

from podwright.agent.config.go_duration import SECOND_NS, parse_duration
from podwright.errors import InvalidArgument, PodwrightError, reason
from podwright.k8s.names import qualified_name_faults
from podwright.nesting import check_nesting

KIND = "CredentialProviderConfig"
FILE_VERSIONS = tuple(f"kubelet.config.k8s.io/{version}" for version in ("v1", "v1beta1", "v1alpha1"))
PROVIDER_VERSIONS = tuple(f"credentialprovider.kubelet.k8s.io/{version}" for version in ("v1", "v1beta1", "v1alpha1"))
PER_ACCOUNT, PER_TOKEN = "ServiceAccount", "Token"  # cacheType
FILE_LIMIT_BYTES = 1 << 20
NESTING_LIMIT = 20
FILE_ENDINGS = (".json", ".yaml", ".yml")


class TokenRules(msgspec.Struct, frozen=True, kw_only=True):
    """How a provider uses service accounts.

    The provider gets a token for `audience` and annotations of the account. It is not called if a `required` one is
    missing. `keeps_per_token`: its answer is valid for one token, else for all pods of the account.
    """

    audience: str
    is_required: bool  # whether it is only called for pods with an account
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    keeps_per_token: bool = False


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """One program, and the images that it is called for. Without `tokens` it gets no data of pods."""

    name: str
    api_version: str
    match_images: tuple[str, ...]
    default_cache_s: float
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = msgspec.field(default_factory=dict)
    tokens: TokenRules | None = None


class _Variable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    value: str = ""


class _TokenAttributes(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    service_account_token_audience: str = ""
    cache_type: str = ""
    require_service_account: bool | None = None
    required_service_account_annotation_keys: tuple[str, ...] = ()
    optional_service_account_annotation_keys: tuple[str, ...] = ()


class _ProviderEntry(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    name: str
    api_version: str
    match_images: tuple[str, ...]
    default_cache_duration: str
    args: tuple[str, ...] = ()
    env: tuple[_Variable, ...] = ()
    token_attributes: _TokenAttributes | None = None


class _ProviderFile(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    kind: str
    api_version: str
    providers: tuple[_ProviderEntry, ...] = ()


def read_providers(path: str, directory: str, *, allows_tokens: bool = True) -> list[Provider]:
    """The providers of a file, or of all files of a folder in the order of their names.

    `allows_tokens`: the feature gate KubeletServiceAccountTokenForCredentialProviders.

    Raises InvalidArgument that names the file: the agent does not start with providers that cannot work.
    """
    paths = [path]
    if os.path.isdir(path):
        paths = [f"{path}/{name}" for name in sorted(os.listdir(path)) if name.endswith(FILE_ENDINGS)]
    found: dict[str, Provider] = {}
    for each in paths:
        for provider in _providers_of(each):
            if provider.tokens is not None and not allows_tokens:
                raise InvalidArgument(
                    f"{each}: credential provider {provider.name!r} has tokenAttributes",
                    hint="the feature gate KubeletServiceAccountTokenForCredentialProviders is off",
                )
            if provider.name in found:
                raise InvalidArgument(f"{each}: credential provider {provider.name!r} is named twice")
            if not os.access(f"{directory}/{provider.name}", os.X_OK):
                raise InvalidArgument(f"{each}: {directory}/{provider.name} is not there, or cannot be executed")
            found[provider.name] = provider
    return list(found.values())


def _providers_of(path: str) -> Iterator[Provider]:
    try:
        file = msgspec.convert(_load(path), type=_ProviderFile)
    except (OSError, ValueError, yaml.YAMLError, msgspec.ValidationError, PodwrightError) as failure:
        raise InvalidArgument(
            f"cannot read credential providers from {path}: {reason(failure, path=path)}"
        ) from failure
    if file.kind != KIND or file.api_version not in FILE_VERSIONS:
        raise InvalidArgument(f"{path}: {file.kind} of {file.api_version!r} is no {KIND} of {FILE_VERSIONS[0]}")
    for entry in file.providers:
        if faults := list(_faults(entry)):
            raise InvalidArgument(f"{path}: credential provider {entry.name!r}: {'; '.join(faults)}")
        yield Provider(
            name=entry.name,
            api_version=entry.api_version,
            match_images=entry.match_images,
            default_cache_s=parse_duration(entry.default_cache_duration) / SECOND_NS,
            args=entry.args,
            env={variable.name: variable.value for variable in entry.env},
            tokens=_token_rules(entry.token_attributes) if entry.token_attributes is not None else None,
        )


def _token_rules(attributes: _TokenAttributes) -> TokenRules:
    return TokenRules(
        audience=attributes.service_account_token_audience,
        is_required=bool(attributes.require_service_account),
        required=attributes.required_service_account_annotation_keys,
        optional=attributes.optional_service_account_annotation_keys,
        keeps_per_token=attributes.cache_type == PER_TOKEN,
    )


def _load(path: str) -> Any:
    with open(path, "rb") as file:
        data = file.read(FILE_LIMIT_BYTES + 1)
    if len(data) > FILE_LIMIT_BYTES:
        raise InvalidArgument(f"it is larger than {FILE_LIMIT_BYTES >> 20} MiB")
    check_nesting(data, NESTING_LIMIT, aliases=False)
    return yaml.safe_load(data)


def _faults(entry: _ProviderEntry) -> Iterator[str]:
    if not entry.name or "/" in entry.name or " " in entry.name or entry.name in (".", ".."):
        yield "its name must be a file's name without spaces"
    if entry.api_version not in PROVIDER_VERSIONS:
        yield f"apiVersion {entry.api_version!r} is not one of {', '.join(PROVIDER_VERSIONS)}"
    if not entry.match_images:
        yield "matchImages is empty"
    if entry.token_attributes is not None:
        yield from _token_faults(entry.token_attributes, entry.api_version)
    try:
        if parse_duration(entry.default_cache_duration) < 0:
            yield "defaultCacheDuration is negative"
    except PodwrightError as failure:
        yield f"defaultCacheDuration: {failure}"


def _token_faults(attributes: _TokenAttributes, api_version: str) -> Iterator[str]:
    required = attributes.required_service_account_annotation_keys
    optional = attributes.optional_service_account_annotation_keys
    if not attributes.service_account_token_audience:
        yield "tokenAttributes.serviceAccountTokenAudience is missing"
    if attributes.require_service_account is None:
        yield "tokenAttributes.requireServiceAccount is missing"
    if attributes.require_service_account is False and required:
        yield "requiredServiceAccountAnnotationKeys needs requireServiceAccount: true"
    if api_version != PROVIDER_VERSIONS[0]:
        yield f"tokenAttributes needs apiVersion {PROVIDER_VERSIONS[0]}"
    if attributes.cache_type not in (PER_ACCOUNT, PER_TOKEN):
        yield f"tokenAttributes.cacheType must be {PER_ACCOUNT} or {PER_TOKEN}"
    keys = (*required, *optional)
    if twice := sorted(key for key, count in Counter(keys).items() if count > 1):
        yield f"annotation keys are named twice: {', '.join(twice)}"
    for key in keys:
        yield from (f"annotation key {key!r}: {fault}" for fault in qualified_name_faults(key.lower()))
