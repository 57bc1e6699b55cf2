{{/*
The StatefulSet of a store of the chart's own: one pod with one volume.
(dict "root" $ "part" "qdrant" "port" 6333 "path" "/qdrant/storage" "env" <list> "probe" <dict> "folders" <dict> "secret" <dict>)
`folders` are further writable places by name; `secret` is mounted at /secrets where it is not empty.
*/}}
{{- define "altiplano.store" -}}
{{- $values := .root.Values -}}
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: {{ include "altiplano.name" . }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "altiplano.labels" . | nindent 4 }}
spec:
  serviceName: {{ include "altiplano.name" . }}
  replicas: 1
  selector:
    matchLabels:
      {{- include "altiplano.selector" . | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "altiplano.labels" . | nindent 8 }}
    spec:
      automountServiceAccountToken: false
      enableServiceLinks: false
      securityContext:
        {{- include "altiplano.podSecurity" . | nindent 8 }}
      containers:
        - name: {{ .part }}
          image: {{ $values.image }}
          imagePullPolicy: IfNotPresent
          ports: [{name: store, containerPort: {{ .port }}}]
          env:
            {{- toYaml .env | nindent 12 }}
          readinessProbe:
            {{- toYaml .probe | nindent 12 }}
            periodSeconds: 5
          livenessProbe:
            {{- toYaml .probe | nindent 12 }}
            periodSeconds: 20
            failureThreshold: 6
          resources:
            {{- toYaml $values.resources | nindent 12 }}
          securityContext:
            {{- include "altiplano.containerSecurity" . | nindent 12 }}
          volumeMounts:
            - {name: data, mountPath: {{ .path }}}
            {{- range $name, $path := .folders }}
            - {name: {{ $name }}, mountPath: {{ $path }}}
            {{- end }}
            {{- if .secret }}
            - {name: secrets, mountPath: /secrets, readOnly: true}
            {{- end }}
      volumes:
        {{- range $name, $path := .folders }}
        - name: {{ $name }}
          emptyDir: {}
        {{- end }}
        {{- with .secret }}
        - name: secrets
          secret: {secretName: {{ .name }}, items: [{key: {{ .key }}, path: {{ .key }}}], defaultMode: 0440}
        {{- end }}
  volumeClaimTemplates:
    - metadata: {name: data}
      spec:
        accessModes: [ReadWriteOnce]
        {{- with $values.global.storageClass }}
        storageClassName: {{ . }}
        {{- end }}
        resources:
          requests: {storage: {{ $values.storage }}}
{{- end }}
