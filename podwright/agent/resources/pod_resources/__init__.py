"""The pod-resources API: monitors ask which devices, CPUs, memory and claims containers have."""
