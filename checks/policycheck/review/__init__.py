"""Reviewing a change of a policy: what each changed rule asks more or less than before."""
