"""The annual review: what changed between two versions of a policy, and what that would have found.

versions -> pairs -> changes, clause by clause -> verdicts -> replay of past terms
"""
