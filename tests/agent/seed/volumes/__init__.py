"""Tests of the agent's volumes room."""
