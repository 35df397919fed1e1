"""Tests of the agent's orchestration room."""
