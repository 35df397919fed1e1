"""`make vm-test`: the tests on Debian hosts in virtual machines, with systemd, cgroup v2 alone and AppArmor.

`image` makes a disk image per Debian release and keeps it, `machine` boots it in QEMU, `guest` runs commands inside,
`suites` says which, and `results` keeps what every test said, so that a run that was cut short can be continued.
`page` writes docs/hosts.md from that.
"""
