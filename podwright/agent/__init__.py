"""The node agent: the kubelet's role, as a CRI client.

Today it is the seed behind `podwright run`: one Pod from one file, run by any CRI server. Its rooms are those that
a full node agent needs (manifest, pods, orchestration, volumes), so that sources, probes and status join later.
It speaks to the runtime by CRI alone and never imports it.
"""
