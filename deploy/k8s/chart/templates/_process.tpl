{{/*
What every process of the project has in its environment.
(dict "root" $ "part" "memory" "service" <entry of services> "port" 50053)
*/}}
{{- define "altiplano.environment" -}}
{{- $values := .root.Values -}}
{{- $prefix := printf "ALTIPLANO_%s_" (upper .process) -}}
- {name: HOME, value: /tmp}
- {name: {{ $prefix }}BIND, value: "0.0.0.0:{{ .port }}"}
- {name: {{ $prefix }}METRICS_HOST, value: 0.0.0.0}
- {name: {{ $prefix }}METRICS_PORT, value: {{ $values.telemetry.metricsPort | quote }}}
- {name: {{ $prefix }}LOG_LEVEL, value: {{ $values.telemetry.logLevel }}}
- {name: {{ $prefix }}DRAIN_GRACE_S, value: "40"}
- {name: ALTIPLANO_TRACE_RATIO, value: {{ $values.telemetry.traceRatio | quote }}}
{{- with $values.telemetry.otlpEndpoint }}
- {name: ALTIPLANO_OTLP_ENDPOINT, value: {{ . | quote }}}
{{- end }}
{{- if $values.telemetry.otlpCaSecret }}
- {name: ALTIPLANO_OTLP_CA, value: /secrets/otlp-ca.crt}
{{- end }}
{{- if $values.telemetry.record }}
{{- $keeper := ternary "127.0.0.1" (include "altiplano.name" (dict "root" .root "part" "eval")) (eq .part "eval") }}
- {name: ALTIPLANO_OBSERVABILITY_ADDRESS, value: "{{ $keeper }}:{{ $values.services.eval.port }}"}
{{- end }}
{{- if ne .process "gateway" }}
- {name: {{ $prefix }}DATA, value: /data}
{{- end }}
{{- if $values.auth.enabled }}
- {name: ALTIPLANO_MESH_SECRET_FILE, value: /secrets/mesh-secret}
{{- if include "altiplano.edge" . }}
- {name: ALTIPLANO_API_KEYS_FILE, value: /secrets/api-keys}
{{- with $values.auth.jwt.issuer }}
- {name: ALTIPLANO_JWT_ISSUER, value: {{ . | quote }}}
- {name: ALTIPLANO_JWT_AUDIENCE, value: {{ $values.auth.jwt.audience | quote }}}
{{- with $values.auth.jwt.jwks }}
- {name: ALTIPLANO_JWT_JWKS, value: {{ . | quote }}}
{{- end }}
{{- end }}
{{- end }}
{{- else }}
- {name: {{ $prefix }}INSECURE, value: "true"}
{{- end }}
{{- if $values.tls.enabled }}
- {name: {{ $prefix }}TLS_CERTIFICATE, value: /tls/tls.crt}
- {name: {{ $prefix }}TLS_KEY, value: /tls/tls.key}
- {name: {{ $prefix }}TLS_CA, value: /tls/ca.crt}
{{- else }}
- {name: {{ $prefix }}METRICS_INSECURE, value: "true"}
{{- end }}
{{- range $called := ternary (list) .service.calls (eq .process "gateway") }}
- {name: ALTIPLANO_{{ upper $called }}_ADDRESS, value: "{{ include "altiplano.name" (dict "root" $.root "part" $called) }}:{{ (get $values.services $called).port }}"}
{{- end }}
{{- range $name, $value := get $values.settings .process | default dict }}
- {name: {{ $prefix }}{{ $name }}, value: {{ $value | quote }}}
{{- end }}
{{- range $name, $value := $values.environment }}
- {name: {{ $name }}, value: {{ $value | quote }}}
{{- end }}
{{- range $name, $file := .files | default dict }}
- {name: {{ $name }}, value: /secrets/{{ $name }}}
{{- end }}
{{- end }}

{{/* What only a service with state has. */}}
{{- define "altiplano.state" -}}
{{- $prefix := printf "ALTIPLANO_%s_" (upper .process) -}}
{{- if .service.stateful }}
- {name: {{ $prefix }}REPLICAS, value: {{ include "altiplano.replicas" (dict "root" .root "name" .process "service" .service) | quote }}}
{{- if include "altiplano.postgresql" .root }}
- {name: {{ $prefix }}DATABASE_URL_FILE, value: /secrets/database-url}
{{- end }}
{{- end }}
{{- if eq .process "memory" }}
{{- $url := .root.Values.qdrant.url }}
{{- if .root.Values.qdrant.enabled }}{{ $url = printf "http://%s:6333" (include "altiplano.name" (dict "root" .root "part" "qdrant")) }}{{ end }}
{{- with $url }}
- {name: ALTIPLANO_MEMORY_QDRANT_URL, value: {{ . | quote }}}
{{- end }}
{{- if .root.Values.qdrant.secret }}
- {name: ALTIPLANO_MEMORY_QDRANT_API_KEY_FILE, value: /secrets/qdrant-api-key}
{{- end }}
{{- end }}
{{- if and (eq .process "training") .root.Values.ray.enabled }}
- {name: RAY_ADDRESS, value: "http://{{ include "altiplano.name" (dict "root" .root "part" "ray") }}-head-svc:8265"}
- {name: RAY_AUTH_MODE, value: token}
- {name: RAY_AUTH_TOKEN_PATH, value: /secrets/ray-auth-token}
{{- end }}
{{- end }}

{{/* Probes of a gRPC service: the kubelet speaks no TLS to gRPC, so that a client in the pod asks then. */}}
{{- define "altiplano.grpcProbes" -}}
{{- $handler := dict -}}
{{- if .root.Values.tls.enabled -}}
{{- $_ := set $handler "exec" (dict "command" (list "python" "-m" "mesh.probe" .process .ready)) -}}
{{- $_ := set $handler "live" (dict "exec" (dict "command" (list "python" "-m" "mesh.probe" .process ""))) -}}
{{- else -}}
{{- $_ := set $handler "grpc" (dict "port" (int .port) "service" .ready) -}}
{{- $_ := set $handler "live" (dict "grpc" (dict "port" (int .port))) -}}
{{- end -}}
startupProbe:
  {{- toYaml (omit $handler "live") | nindent 2 }}
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: {{ div (int .startupSeconds) 5 }}
readinessProbe:
  {{- toYaml (omit $handler "live") | nindent 2 }}
  periodSeconds: 10
  timeoutSeconds: 5
livenessProbe:
  {{- toYaml $handler.live | nindent 2 }}
  periodSeconds: 20
  timeoutSeconds: 10
  failureThreshold: 6
{{- end }}

{{- define "altiplano.httpProbes" -}}
{{- $scheme := .scheme -}}
startupProbe:
  httpGet: {path: /healthz, port: http, scheme: {{ $scheme }}}
  periodSeconds: 2
  failureThreshold: 60
readinessProbe:
  httpGet: {path: /readyz, port: http, scheme: {{ $scheme }}}
  periodSeconds: 5
  timeoutSeconds: 5
livenessProbe:
  httpGet: {path: /healthz, port: http, scheme: {{ $scheme }}}
  periodSeconds: 20
  timeoutSeconds: 10
{{- end }}

{{/* Which keys of which secrets a process reads, as the sources of one volume; empty for none. */}}
{{- define "altiplano.secrets" -}}
{{- $values := .root.Values -}}
{{- if $values.auth.enabled }}
- secret:
    name: {{ $values.auth.secret }}
    items:
      - {key: mesh-secret, path: mesh-secret}
      {{- if include "altiplano.edge" . }}
      - {key: api-keys, path: api-keys}
      {{- end }}
{{- end }}
{{- if and .service.stateful (include "altiplano.postgresql" .root) }}
- secret: {name: {{ $values.postgresql.secret }}, items: [{key: url, path: database-url}]}
{{- end }}
{{- if and (eq .process "memory") $values.qdrant.secret }}
- secret: {name: {{ $values.qdrant.secret }}, items: [{key: api-key, path: qdrant-api-key}]}
{{- end }}
{{- if and (eq .process "training") $values.ray.enabled }}
- secret: {name: {{ $values.ray.secret }}, items: [{key: auth-token, path: ray-auth-token}]}
{{- end }}
{{- include "altiplano.files" . }}
{{- end }}

{{/* The files that the values name for a process: (dict "root" $ "files" <entry of files>). */}}
{{- define "altiplano.files" -}}
{{- with .root.Values.telemetry.otlpCaSecret }}
- secret: {name: {{ . }}, items: [{key: ca.crt, path: otlp-ca.crt}]}
{{- end }}
{{- range $name, $file := .files | default dict }}
- secret: {name: {{ $file.secret }}, items: [{key: {{ $file.key }}, path: {{ $name }}}]}
{{- end }}
{{- end }}

{{/* Whether the volume of training is seen by models, the Ray cluster and all replicas: "true" or nothing. */}}
{{- define "altiplano.trainingShared" -}}
{{- if or .Values.services.training.shared .Values.ray.enabled }}true{{ end }}
{{- end }}

{{/* Writable places, and the certificates. */}}
{{- define "altiplano.mounts" -}}
- {name: tmp, mountPath: /tmp}
{{- if ne .process "gateway" }}
- {name: data, mountPath: /data}
{{- end }}
{{- if .root.Values.tls.enabled }}
- {name: tls, mountPath: /tls, readOnly: true}
{{- end }}
{{- if include "altiplano.secrets" . | trim }}
- {name: secrets, mountPath: /secrets, readOnly: true}
{{- end }}
{{- end }}

{{- define "altiplano.volumes" -}}
- name: tmp
  emptyDir: {sizeLimit: 2Gi}
{{- if .root.Values.tls.enabled }}
- name: tls
  secret: {secretName: {{ include "altiplano.name" (dict "root" .root "part" .part) }}-tls, defaultMode: 0440}
{{- end }}
{{- with include "altiplano.secrets" . | trim }}
- name: secrets
  projected:
    defaultMode: 0440
    sources:
      {{- . | nindent 6 }}
{{- end }}
{{- end }}
