"""`make bench`: private servers and a registry on loopback, measured by `podwright bench`. See `__main__`."""
