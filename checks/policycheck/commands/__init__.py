"""The commands, a module for each; `policycheck.cli` puts them together."""
