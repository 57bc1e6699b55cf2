{{/* The name of a part: (dict "root" $ "part" "memory"). */}}
{{- define "altiplano.name" -}}
{{ printf "%s-%s" .root.Release.Name .part | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* The labels that select the pods of a part. */}}
{{- define "altiplano.selector" -}}
app.kubernetes.io/name: altiplano
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .part }}
{{- end }}

{{- define "altiplano.labels" -}}
{{ include "altiplano.selector" . }}
app.kubernetes.io/part-of: altiplano
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{- define "altiplano.image" -}}
{{- $tag := .root.Values.image.tag | default .root.Chart.AppVersion -}}
{{- if .root.Values.image.registry -}}{{ trimSuffix "/" .root.Values.image.registry }}/{{- end -}}
altiplano-{{ .image }}:{{ $tag }}
{{- end }}

{{/* What every container of the project may not do. */}}
{{- define "altiplano.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities:
  drop: [ALL]
{{- end }}

{{- define "altiplano.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{/* Spread over nodes and zones as far as there are any. */}}
{{- define "altiplano.spread" -}}
{{- range tuple "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
- maxSkew: 1
  topologyKey: {{ . }}
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels:
      {{- include "altiplano.selector" $ | nindent 6 }}
{{- end }}
{{- end }}

{{/* True when callers from outside reach a part itself: the gateway, and by a GRPCRoute every service. */}}
{{- define "altiplano.edge" -}}
{{- $route := .root.Values.route -}}
{{- if or (eq .part "gateway") (and $route.enabled $route.grpc (hasKey .root.Values.services .part)) }}true{{ end -}}
{{- end }}

{{/* True when the services share a PostgreSQL. */}}
{{- define "altiplano.postgresql" -}}
{{- if or .Values.postgresql.enabled .Values.postgresql.external }}true{{ end -}}
{{- end }}

{{/* The one of two replica counts that holds when autoscaling is on: none is set. */}}
{{- define "altiplano.replicas" -}}
{{- $scaling := get .root.Values.autoscaling .name | default dict -}}
{{- if $scaling }}{{ $scaling.max }}{{ else }}{{ .service.replicas }}{{ end -}}
{{- end }}

{{/* True when the pods of a service have a volume that outlives them: one owns it, or several share it. */}}
{{- define "altiplano.keepsFiles" -}}
{{- $replicas := int (include "altiplano.replicas" .) -}}
{{- $shared := and (eq .name "training") (include "altiplano.trainingShared" .root) -}}
{{- if and .service.storage (or $shared .service.shared (le $replicas 1)) }}true{{ end -}}
{{- end }}
