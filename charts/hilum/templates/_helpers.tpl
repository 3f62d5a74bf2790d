{{/* Names, labels, images and security contexts that every template uses. */}}

{{/* Name of the chart, or what replaces it. */}}
{{- define "hilum.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end }}

{{/* What the names of all objects begin with. 40 characters leave room for `-triton-metrics` and the hash that
Kubernetes appends to the names of pods. */}}
{{- define "hilum.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "hilum.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "hilum.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end }}

{{/* Labels that selectors may use: they never change over a release's life.
Takes dict "context" $ "component" NAME. */}}
{{- define "hilum.selectorLabels" -}}
app.kubernetes.io/name: {{ include "hilum.name" .context }}
app.kubernetes.io/instance: {{ .context.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{/* Labels of every object. Takes dict "context" $ "component" NAME. */}}
{{- define "hilum.labels" -}}
{{ include "hilum.selectorLabels" . }}
app.kubernetes.io/version: {{ .context.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: hilum
app.kubernetes.io/managed-by: {{ .context.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .context.Chart.Name .context.Chart.Version | replace "+" "_" }}
{{- end }}

{{/* An image's full name. A digest wins over the tag, which then only tells people what it is.
Takes dict "context" $ "image" {registry, repository, tag, digest}; an empty tag is the chart's appVersion. */}}
{{- define "hilum.image" -}}
{{- $registry := default .context.Values.global.imageRegistry .image.registry -}}
{{- $name := ternary (printf "%s/%s" $registry .image.repository) .image.repository (ne $registry "") -}}
{{- $tag := default .context.Chart.AppVersion .image.tag -}}
{{- if .image.digest -}}
{{- $name -}}{{- with .image.tag }}:{{ . }}{{ end -}}@{{ .image.digest }}
{{- else -}}
{{- $name }}:{{ $tag -}}
{{- end -}}
{{- end }}

{{/* `imagePullSecrets` of a pod; nothing where there are none. */}}
{{- define "hilum.imagePullSecrets" -}}
{{- with .Values.global.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* What every pod runs as: the images' user 1000, files of volumes in its group, the runtime's system-call filter. */}}
{{- define "hilum.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 1000
runAsGroup: 1000
fsGroup: 1000
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{/* What every container may do: nothing more than an ordinary program, and no writing outside its volumes. */}}
{{- define "hilum.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}
