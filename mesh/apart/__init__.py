"""Work that is done apart, in processes of their own: what they import is heavy, or what they read may be made to hurt.

``program`` is the side of the service, ``serving`` that of the process.
"""
