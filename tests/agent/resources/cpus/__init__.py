"""Tests of podwright.agent.resources.cpus."""
