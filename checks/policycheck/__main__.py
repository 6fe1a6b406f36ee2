"""`python -m policycheck`."""

from policycheck.cli import app

app(prog_name="policycheck")
