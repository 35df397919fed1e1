"""The kinds of volumes, a plug-in each. `registry` knows them all."""
