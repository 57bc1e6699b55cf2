"""Which fields of other operators' kinds the chart uses, as JSON Schema; no copy of their CRDs is needed.

An object with any other field is refused, so that a misspelt one is found. Sources: the API references of cert-manager
(cert-manager.io/v1), Gateway API (gateway.networking.k8s.io/v1), KubeRay (ray.io/v1), the Prometheus operator
(monitoring.coreos.com/v1) and KEDA (keda.sh/v1alpha1).
"""

from __future__ import annotations

from typing import Any, Final

Schema = dict[str, Any]

TEXT: Final[Schema] = {"type": "string", "minLength": 1}
FLAG: Final[Schema] = {"type": "boolean"}
COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
DURATION: Final[Schema] = {"type": "string", "pattern": "^([0-9]+(h|m|s|ms))+$"}
TEXTS: Final[Schema] = {"type": "object", "additionalProperties": {"type": "string"}}


def shape(required: dict[str, Schema], optional: dict[str, Schema] | None = None) -> Schema:
    """Return the schema of an object with these fields and no others."""
    return {
        "type": "object",
        "properties": required | (optional or {}),
        "required": list(required),
        "additionalProperties": False,
    }


def several(items: Schema) -> Schema:
    """Return the schema of a list that is not empty."""
    return {"type": "array", "items": items, "minItems": 1}


ISSUER_REF: Final = shape({"name": TEXT}, {"kind": {"enum": ["Issuer", "ClusterIssuer"]}, "group": TEXT})
PRIVATE_KEY: Final = shape(
    {"algorithm": {"enum": ["RSA", "ECDSA", "Ed25519"]}},
    {"size": {"enum": [256, 384, 521, 2048, 4096]}, "rotationPolicy": {"enum": ["Never", "Always"]}},
)
USAGES: Final = {"enum": ["digital signature", "key encipherment", "server auth", "client auth"]}
CERTIFICATE: Final = shape(
    {"secretName": TEXT, "issuerRef": ISSUER_REF},
    {
        "isCA": FLAG,
        "commonName": {"type": "string", "maxLength": 64},
        "dnsNames": several(TEXT),
        "ipAddresses": several(TEXT),
        "duration": DURATION,
        "renewBefore": DURATION,
        "usages": several(USAGES),
        "privateKey": PRIVATE_KEY,
    },
)
ISSUER: Final = {"oneOf": [shape({"selfSigned": shape({})}), shape({"ca": shape({"secretName": TEXT})})]}

PARENTS: Final = several(shape({"name": TEXT}, {"namespace": TEXT, "sectionName": TEXT}))
BACKENDS: Final = several(shape({"name": TEXT, "port": {"type": "integer", "minimum": 1, "maximum": 65535}}))
HTTP_MATCH: Final = shape(
    {"path": shape({"type": {"enum": ["Exact", "PathPrefix", "RegularExpression"]}, "value": TEXT})}
)
HTTP_RULE: Final = shape(
    {"backendRefs": BACKENDS}, {"matches": several(HTTP_MATCH), "timeouts": shape({}, {"request": DURATION})}
)
GRPC_MATCH: Final = shape(
    {"method": shape({"type": {"enum": ["Exact", "RegularExpression"]}, "service": TEXT}, {"method": TEXT})}
)
GRPC_RULE: Final = shape({"backendRefs": BACKENDS}, {"matches": several(GRPC_MATCH)})

POD_TEMPLATE: Final[Schema] = {"type": "object", "required": ["metadata", "spec"]}
RAY_GROUP: Final[dict[str, Schema]] = {"rayStartParams": TEXTS, "template": POD_TEMPLATE}
RAY: Final = shape(
    {
        "rayVersion": TEXT,
        "headGroupSpec": shape(RAY_GROUP, {"serviceType": {"enum": ["ClusterIP", "NodePort", "LoadBalancer"]}}),
        "workerGroupSpecs": several(
            shape(RAY_GROUP | {"groupName": TEXT, "replicas": COUNT, "minReplicas": COUNT, "maxReplicas": COUNT})
        ),
    },
    {"enableInTreeAutoscaling": FLAG},
)

SECRET_KEY: Final = shape({"name": TEXT, "key": TEXT})
SCRAPE_TLS: Final = shape(
    {},
    {
        "ca": shape({"secret": SECRET_KEY}),
        "cert": shape({"secret": SECRET_KEY}),
        "keySecret": SECRET_KEY,
        "serverName": TEXT,
    },
)
ENDPOINT: Final = shape(
    {"port": TEXT}, {"interval": DURATION, "scheme": {"enum": ["http", "https"]}, "tlsConfig": SCRAPE_TLS}
)
ALERT: Final = shape({"alert": TEXT, "expr": TEXT}, {"for": DURATION, "labels": TEXTS, "annotations": TEXTS})
TRIGGER: Final = shape(
    {"type": TEXT, "metadata": TEXTS}, {"metricType": {"enum": ["AverageValue", "Value", "Utilization"]}}
)

SPECS: Final[dict[tuple[str, str], Schema]] = {
    ("cert-manager.io/v1", "Certificate"): CERTIFICATE,
    ("cert-manager.io/v1", "Issuer"): ISSUER,
    ("gateway.networking.k8s.io/v1", "HTTPRoute"): shape(
        {"parentRefs": PARENTS, "rules": several(HTTP_RULE)}, {"hostnames": several(TEXT)}
    ),
    ("gateway.networking.k8s.io/v1", "GRPCRoute"): shape(
        {"parentRefs": PARENTS, "rules": several(GRPC_RULE)}, {"hostnames": several(TEXT)}
    ),
    ("ray.io/v1", "RayCluster"): RAY,
    ("monitoring.coreos.com/v1", "ServiceMonitor"): shape(
        {"selector": shape({"matchLabels": TEXTS}), "endpoints": several(ENDPOINT)}
    ),
    ("monitoring.coreos.com/v1", "PrometheusRule"): shape(
        {"groups": several(shape({"name": TEXT, "rules": several(ALERT)}))}
    ),
    ("keda.sh/v1alpha1", "ScaledObject"): shape(
        {"scaleTargetRef": shape({"name": TEXT}), "triggers": several(TRIGGER)},
        {"minReplicaCount": COUNT, "maxReplicaCount": COUNT, "cooldownPeriod": COUNT},
    ),
}
"""The schema of the `spec` of each kind that is not Kubernetes' own."""
