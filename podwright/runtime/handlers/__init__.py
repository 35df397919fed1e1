"""What runs a container: an OCI runtime under conmon (`oci`). Others get a module beside it."""
