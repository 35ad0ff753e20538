"""Answering one question.

question + history -> triage -> follow-up -> retrieve -> compose -> cite -> Answer
"""

import index  # noqa: F401  (sets the libraries beneath offline before any of them is imported)
