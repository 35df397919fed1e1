"""Tests of podwright.agent.resources.memory."""
