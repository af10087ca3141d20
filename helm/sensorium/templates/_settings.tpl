{{/* From values to the variables SENSORIUM__SECTION__OPTION. */}}

{{/* A value as the text of a variable. JSON writes whole numbers without an exponent, and lists of texts as TOML does. */}}
{{- define "sensorium.text" -}}
{{- if kindIs "string" . }}{{ quote . }}{{ else }}{{ toJson . | quote }}{{ end }}
{{- end }}

{{- define "sensorium.config" -}}
{{- range $section, $options := .Values.config }}
{{- range $option, $value := $options }}
SENSORIUM__{{ upper $section }}__{{ upper $option }}: {{ include "sensorium.text" $value }}
{{- end }}
{{- end }}
{{- end }}

{{/* What the chart's own Secret holds. */}}
{{- define "sensorium.secretData" -}}
{{- range $section, $options := .Values.secrets }}
{{- range $option, $secret := $options }}
{{- if and $secret.value (not $secret.existingSecret) }}
{{ $secret.key | default (printf "%s.%s" $section $option) | quote }}: {{ include "sensorium.text" $secret.value }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "sensorium.secretEnv" -}}
{{- range $section, $options := .Values.secrets }}
{{- range $option, $secret := $options }}
{{- if or $secret.value $secret.existingSecret }}
- name: SENSORIUM__{{ upper $section }}__{{ upper $option }}
  valueFrom:
    secretKeyRef:
      name: {{ $secret.existingSecret | default (include "sensorium.fullname" $) | quote }}
      key: {{ $secret.key | default (printf "%s.%s" $section $option) | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* Says what is missing, and writes nothing. */}}
{{- define "sensorium.required" -}}
{{- $url := .Values.secrets.catalog.url }}
{{- $secret := .Values.secrets.auth.hs256_secret }}
{{- $issuer := or (dig "auth" "jwks_url" "" .Values.config) (dig "auth" "oidc_discovery" false .Values.config) }}
{{- $_ := required "secrets.catalog.url: set value or existingSecret; it is the address of a Postgres database" (or $url.value $url.existingSecret) }}
{{- $_ := required "config.index.url: set the address of Qdrant's gRPC port, such as http://qdrant:6334" .Values.config.index.url }}
{{- $_ := required "config.blobs.url: set the bucket, as s3://BUCKET/PREFIX" .Values.config.blobs.url }}
{{- $_ := required "secrets.auth.hs256_secret: set value (at least 32 bytes) or existingSecret, or name an issuer in config.auth" (or $issuer $secret.value $secret.existingSecret) }}
{{- end }}
