"""The node agent: the kubelet's role, as a CRI client.

It makes the pods of this machine what its sources say, through CRI alone, and never imports the runtime.
"""
