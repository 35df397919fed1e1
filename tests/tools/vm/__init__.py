"""The virtual machines of `make vm-test`: what needs none."""
