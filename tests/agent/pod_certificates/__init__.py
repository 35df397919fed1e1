"""Tests of podwright.agent.pod_certificates."""
