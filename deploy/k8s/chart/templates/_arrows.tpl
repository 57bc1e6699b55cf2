{{/* The gateway's upstreams: area=host:port of every service. */}}
{{- define "altiplano.upstreams" -}}
{{- $found := list -}}
{{- range $process, $service := .Values.services -}}
{{- range $area := $service.areas -}}
{{- $found = append $found (printf "%s=%s:%v" $area (include "altiplano.name" (dict "root" $ "part" $process)) $service.port) -}}
{{- end -}}
{{- end -}}
{{ join "," $found }}
{{- end }}

{{/* The front's models: id=host:port of every worker. */}}
{{- define "altiplano.remoteModels" -}}
{{- $found := list -}}
{{- range $key, $model := .Values.models -}}
{{- $address := printf "%s:50051" (include "altiplano.name" (dict "root" $ "part" (printf "model-%s" $key))) -}}
{{- range $id := prepend ($model.serves | default list) $model.id -}}
{{- $found = append $found (printf "%s=%s" $id $address) -}}
{{- end -}}
{{- end -}}
{{ join "," $found }}
{{- end }}

{{/* The services that a service calls, that which keeps its spans among them, as a list in JSON. */}}
{{- define "altiplano.calls" -}}
{{- $calls := (get .root.Values.services .part).calls | default list -}}
{{- if and .root.Values.telemetry.record (ne .part "eval") }}{{ $calls = append $calls "eval" | uniq }}{{ end -}}
{{ $calls | toJson }}
{{- end }}

{{/* The processes that call a part, as a list in JSON. */}}
{{- define "altiplano.callers" -}}
{{- $found := list -}}
{{- range $process, $service := .root.Values.services -}}
{{- if has $.part (include "altiplano.calls" (dict "root" $.root "part" $process) | fromJsonArray) }}{{ $found = append $found $process }}{{ end -}}
{{- end -}}
{{ $found | toJson }}
{{- end }}
