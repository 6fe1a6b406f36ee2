"""Signed answers: what is still to be signed, a questionnaire that asks for it, and what comes back."""
