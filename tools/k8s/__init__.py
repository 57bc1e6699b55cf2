"""Renders the chart and holds it against what Kubernetes, other operators and the code of the services expect.

It runs in an environment of its own (`tools/k8s.sh`), because the linters pin old versions of what the services use;
so it imports nothing of the project and reads the code as text.
"""
