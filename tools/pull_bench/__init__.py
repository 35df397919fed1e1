"""Pull and unpack, side by side: Podwright, Debian's containerd (CRI and ctr), CRI-O, Docker, skopeo with umoci.

    python -m tools.pull_bench [--rounds N] [--only NAME ...] [--case CASE ...] [--registry DIR] [--json FILE]

All pull the same images from one docker-registry on loopback, in turns. `content` builds the images from this
machine's Debian packages, `disk` is where everything happens, `pullers` knows the programs, `measure` the clock,
`report` prints. Needs root and 16 GiB of disk.
"""
