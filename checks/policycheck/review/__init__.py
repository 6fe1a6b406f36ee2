<<<<<<< HEAD
"""The annual review: what changed between two versions of a policy, and what that would have found.

versions  ->  pairs  ->  changes (by meaning, by edits)  ->  verdicts, replay  ->  report
"""
=======
"""Reviewing a change of a policy: what each changed rule asks more or less than before."""
>>>>>>> verdicts
