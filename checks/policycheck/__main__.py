"""`python -m policycheck`."""

from policycheck.cli import start

start()
