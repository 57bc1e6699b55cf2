"""What every service of the mesh shares: server, client, errors, identity, configuration, telemetry, storage, jobs.

Imports no service and no gateway, ever; knows nothing of HTTP or of JSON shapes.
"""
