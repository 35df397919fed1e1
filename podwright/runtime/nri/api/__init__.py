"""The messages of NRI, generated from nri.proto: change that, then `make proto`."""
