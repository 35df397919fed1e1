"""Tests of podwright.agent.configs."""
