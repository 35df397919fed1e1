"""Tests of the agent's pods room."""
