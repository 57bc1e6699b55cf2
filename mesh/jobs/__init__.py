"""Long work as rows of one state machine: survives its process, runs once at a time, can be cancelled.

``job`` is the row and its states, ``store`` keeps it, ``worker`` runs it. What a job does is its service's business.
"""
