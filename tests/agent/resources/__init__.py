"""Tests of podwright.agent.resources."""
