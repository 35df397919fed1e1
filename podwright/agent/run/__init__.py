"""`podwright run`: from files to pods on this machine, and what a person sees of them.

`documents` reads files, `expand` makes workloads and pods of their objects, `control` decides which pods are wanted
now, `narrator` and `reporter` show what happens, `outcome` says what it amounts to.
"""
