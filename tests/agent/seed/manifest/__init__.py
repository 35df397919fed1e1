"""Tests of the agent's manifest room."""
