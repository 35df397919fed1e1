"""Makes the parts for images: pulls, credentials, and the records of which pods may use an image."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from podwright.agent.assembly.context import AssemblyContext
from podwright.agent.cluster.protocol import Cluster
from podwright.agent.images.accounts import ServiceAccounts
from podwright.agent.images.credentials import LoginFiles, Logins, NodeLogins
from podwright.agent.images.limits import PullLimits
from podwright.agent.images.manager import ImageManager
from podwright.agent.images.provider_config import read_providers
from podwright.agent.images.providers import CredentialProviders
from podwright.agent.images.pulling import Puller
from podwright.agent.images.record_files import RecordFiles
from podwright.agent.images.records import PullRecords
from podwright.agent.pods.backoff import KeyedBackoff


def make_pull_records(context: AssemblyContext) -> PullRecords | None:
    """The records of images and the credentials of their pulls. None if the configuration does not need them."""
    config, dependencies = context.config, context.dependencies
    if not config.feature_gates["KubeletEnsureSecretPulledImages"]:
        return None
    return PullRecords(
        RecordFiles(context.root),
        dependencies.clock,
        policy=config.images.credentials_verification,
        allowlist=config.images.preloaded_allowlist,
        metrics=dependencies.metrics.images,
    )


def make_images(
    context: AssemblyContext,
    cluster: Cluster,
    records: PullRecords | None,
    pulled: Callable[[str, float], None],
) -> ImageManager:
    """The manager of images. `pulled` is called with a pod's UID, and the seconds that a pull for it took.

    Raises PodwrightError for a configuration of credential providers that is invalid.
    """
    images, events = context.config.images, context.events
    server, clock = context.dependencies.images, context.dependencies.clock
    parallel = 1 if images.serialize_pulls else images.max_parallel_pulls
    limits = PullLimits(clock, parallel=parallel, qps=images.pull_qps, burst=images.pull_burst)
    puller = Puller(server, limits, records, clock, KeyedBackoff())
    logins = Logins(cluster.objects, _login_sources(context, cluster.accounts), events)
    metrics = context.dependencies.metrics.images
    return ImageManager(server, puller, logins, records, events, clock, metrics, pulled)


def _login_sources(context: AssemblyContext, accounts: ServiceAccounts) -> Sequence[NodeLogins]:
    images, dependencies, files = context.config.images, context.dependencies, LoginFiles(context.root)
    if not images.credential_provider_config:
        return [files]
    directory = images.credential_provider_bin_dir
    gate = context.config.feature_gates["KubeletServiceAccountTokenForCredentialProviders"]
    providers = read_providers(images.credential_provider_config, directory, allows_tokens=gate)
    return [files, CredentialProviders(providers, directory, dependencies.runner, dependencies.clock, accounts)]
