"""Tests of the node agent: pure parts by tables, the rest against real CRI servers."""
