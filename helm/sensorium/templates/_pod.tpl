{{/* What the pods of api, worker and migrations have in common. */}}

{{- define "sensorium.image" -}}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) | quote }}
{{- end }}

{{- define "sensorium.podBasics" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- end }}

{{- define "sensorium.containerBasics" -}}
image: {{ include "sensorium.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- end }}

{{/* The data folder lies below the mount, so that the server owns it. */}}
{{- define "sensorium.folderEnv" -}}
- name: SENSORIUM__STORAGE__DATA_DIR
  value: /var/lib/sensorium/data
- name: XDG_CACHE_HOME
  value: /var/cache/sensorium
{{- end }}

{{- define "sensorium.scratchMounts" -}}
- name: scratch
  mountPath: /var/lib/sensorium
- name: tmp
  mountPath: /tmp
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "sensorium.scratchVolumes" -}}
- name: scratch
  emptyDir: {}
- name: tmp
  emptyDir: {}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/*
Fetches models into the claim, where models.lock stays as well, so that every pod runs the same commits; and gives the pod's own data
folder that lock, and the note of files that were read through. Settings of the server are not needed for that.
*/}}
{{- define "sensorium.modelsContainer" -}}
name: models
{{ include "sensorium.containerBasics" . }}
command: [sh, -euc]
args:
  - |
    pinned=/var/cache/sensorium/pinned
    for profile in "$@"; do
      sensorium models pull "$profile" --data-dir "$pinned"
    done
    mkdir -p "$SENSORIUM__STORAGE__DATA_DIR"
    for file in "$pinned"/models.*; do
      [ ! -e "$file" ] || cp "$file" "$SENSORIUM__STORAGE__DATA_DIR/"
    done
  - models
  {{- toYaml .Values.models.pull | nindent 2 }}
env:
  {{- include "sensorium.folderEnv" . | nindent 2 }}
  {{- with .Values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
volumeMounts:
  - name: models
    mountPath: /var/cache/sensorium
  {{- include "sensorium.scratchMounts" . | nindent 2 }}
{{- end }}
