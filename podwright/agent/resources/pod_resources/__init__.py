"""The pod-resources API: shows monitors the devices, CPUs, memory and claims of containers.

`server` serves it, `shares` is the interface to the managers that allot, `messages` makes the answers.
"""
