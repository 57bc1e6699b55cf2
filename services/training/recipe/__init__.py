"""What runs inside a training job: a model, rows, an objective and a loop, put together from a ``Spec``.

``spec`` and ``folder`` are all that the service process imports of it; every other module brings torch with it.
"""
