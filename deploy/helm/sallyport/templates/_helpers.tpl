{{- define "sallyport.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 48 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 48 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "sallyport.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "sallyport.labels" -}}
{{ include "sallyport.selector" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "sallyport.image" -}}
{{- with .Values.image }}{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag }}{{ end }}{{ end }}
{{- end }}

{{- /* The settings: those of the values, and where listeners and secrets are. */ -}}
{{- define "sallyport.settings" -}}
{{- $own := dict "listen" "0.0.0.0:8080" "admin_listen" "127.0.0.1:8090" "key_file" "/run/secrets/sallyport/keys" "admin_key_file" "/run/secrets/sallyport/admin" "database" (dict "dsn_file" "/run/secrets/sallyport/dsn") }}
{{- if .Values.admin.tlsSecret }}
{{- $own = merge (dict "admin_listen" "0.0.0.0:8090" "admin_tls" (dict "cert" "/run/secrets/sallyport-admin/tls.crt" "key" "/run/secrets/sallyport-admin/tls.key")) $own }}
{{- end }}
{{- toYaml (merge $own (deepCopy .Values.config)) }}
{{- end }}

{{- define "sallyport.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- define "sallyport.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end }}

{{- /* The files of the secrets: the group of the pod reads them, and nobody else. */ -}}
{{- define "sallyport.secrets" -}}
- name: secrets
  projected:
    defaultMode: 0440
    sources:
      - secret: { name: {{ .keys.name | quote }}, items: [{ key: {{ .keys.key | quote }}, path: keys }] }
      - secret: { name: {{ .admin.name | quote }}, items: [{ key: {{ .admin.key | quote }}, path: admin }] }
      - secret: { name: {{ .dsn.name | quote }}, items: [{ key: {{ .dsn.key | quote }}, path: dsn }] }
      {{- range .files }}
      - secret: { name: {{ .name | quote }}, items: [{ key: {{ .key | quote }}, path: {{ .file | quote }} }] }
      {{- end }}
{{- end }}

{{- define "sallyport.adminVolume" -}}
{{- with .Values.admin.tlsSecret -}}
- name: admin-tls
  secret: { secretName: {{ . | quote }}, defaultMode: 0440 }
{{- end }}
{{- end }}

{{- define "sallyport.mounts" -}}
- { name: settings, mountPath: /etc/sallyport, readOnly: true }
- { name: secrets, mountPath: /run/secrets/sallyport, readOnly: true }
{{- if .Values.admin.tlsSecret }}
- { name: admin-tls, mountPath: /run/secrets/sallyport-admin, readOnly: true }
{{- end }}
{{- end }}
