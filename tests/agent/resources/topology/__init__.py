"""Tests of podwright.agent.resources.topology."""
