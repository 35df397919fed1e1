"""The node agent: the kubelet's role, as a CRI client.

It makes the pods of this machine what its sources say, through CRI alone, and never imports the runtime. `seed` holds
the older engine of `podwright run` until the rooms beside it replace it.
"""
