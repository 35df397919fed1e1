"""What can be measured. All targets do the same work and name its steps by CRI's calls.

`base` is the interface. `cri` (with `cri_streams`) is a CRI endpoint, `docker` (with `docker_api`) a Docker Engine.
`sweeping` removes what a run left behind.
"""
