"""The engine behind `podwright run`: one Pod from one file, run by any CRI server.

The rooms beside this one replace it: nothing new is added here.
"""
